"""The names that workflows import, and the tasks that importing registers."""

from __future__ import annotations

import json
import subprocess
import sys

import redun
import redun.scheduler

SCHEDULER_NAMES = """
    Scheduler Job JobEnv JobInfo Execution Frame Traceback ErrorValue NoCurrentScheduler SchedulerError
    DryRunResult get_current_scheduler set_current_scheduler root_task needs_root_task merge_handles cond
    throw catch catch_all apply_tags with_export_options scheduler_task task Task CacheScope
    CacheCheckValid CacheResult get_arg_defaults set_arg_defaults format_arg format_task_call
    format_job_statuses get_backend_from_config get_limits_from_config get_ignore_warnings_from_config
    is_debugger_active settrace_patch quote JOB_ACTION_WIDTH
""".split()

PACKAGE_NAMES = """
    Dir File Handle PartialTask Scheduler Task apply_tags catch cond get_current_namespace
    get_current_scheduler get_task_registry merge_handles namespace run script set_current_scheduler task
    throw version __version__
""".split()

TASKS = {
    "redun": """
        apply_tags catch catch_all cond get_context merge_handles postprocess_script root_task script
        script_task throw with_export_options
    """,
    "redun.functools": """
        apply_func compose_apply const eval_ flat_map flatten identity map_ no_prov no_prov_helper seq
        zip_
    """,
    "redun.tools": "copy_dir copy_file copy_files debug_task render_template",
}


def registered_by(module: str) -> set[str]:
    """Return the full names of the tasks that a new interpreter knows after an import."""
    code = (
        f"import json, {module}; from redun.task import get_task_registry; "
        "print(json.dumps([task.fullname for task in get_task_registry()]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_names_of_the_scheduler_module() -> None:
    assert [name for name in SCHEDULER_NAMES if not hasattr(redun.scheduler, name)] == []
    assert set(SCHEDULER_NAMES) <= set(redun.scheduler.__all__)


def test_names_of_the_package() -> None:
    assert set(PACKAGE_NAMES) <= set(redun.__all__)
    assert [name for name in redun.__all__ if not hasattr(redun, name)] == []
    assert callable(redun.get_context)


def test_importing_registers_these_tasks() -> None:
    known = registered_by("redun")
    assert {f"redun.{name}" for name in TASKS["redun"].split()} <= known
    for module in ("redun.functools", "redun.tools"):
        own = {f"redun.{name}" for name in TASKS[module].split()}
        assert own <= registered_by(module)
        assert known & own == set()
