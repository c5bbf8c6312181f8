"""The names that workflows import, and the tasks that importing registers: these, and no others."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from types import ModuleType

import pytest

import redun
import redun.context
import redun.functools
import redun.scheduler

# `redun.__all__`; what is importable besides; and what comes with the parts that bring it.
PACKAGE = """
    Dir File Handle PartialTask Scheduler Task apply_tags catch cond get_current_namespace
    get_current_scheduler get_task_registry merge_handles namespace run script set_current_scheduler task
    throw version __version__
"""
UNLISTED = "get_context AliasExecutor LocalExecutor ShardedS3Dataset register_executor"
LATER = {
    "redun.executors": """
        AWSBatchExecutor AWSGlueExecutor DockerExecutor K8SExecutor GCPBatchExecutor
    """,
}

# What the public modules have. They may have more: new features bring new names.
MODULES = {
    "redun.bcoding": "bdecode bencode",
    "redun.cli": """
        DEFAULT_DB_URI DEFAULT_REPO_NAME REDUN_CONFIG_DIR REDUN_CONFIG_ENV REDUN_INI_FILE REDUN_USER_ENV
        RedunClient RedunClientError arg_name2cli_name check_version find_config_dir format_setup_help
        format_tags format_timedelta format_timestamp get_config_dir get_config_path
        get_default_execution_tags get_setup_parser get_task_arg_parser get_username import_script
        is_config_local_db main parse_func_path setup_backend_db setup_config setup_scheduler
    """,
    "redun.config": "Config create_config_section",
    "redun.context": "get_context get_context_value",
    "redun.executors.alias": "AliasExecutor",
    "redun.executors.base": """
        Executor ExecutorError get_executor_class get_executor_from_config get_executors_from_config
        load_task_module register_executor
    """,
    "redun.executors.launch": "launch_script",
    "redun.executors.local": "LocalExecutor get_current_job",
    "redun.expression": """
        ApplyExpression Expression QuotedExpression SchedulerExpression SimpleExpression TaskExpression
        ValueExpression derive_expression get_lazy_operation lazy_operation quote
    """,
    "redun.federated_tasks": """
        InvocationException federated_task lambda_federated_task launch_federated_task
        rest_federated_task
    """,
    "redun.file": """
        ContentDir ContentFile ContentFileSet ContentStagingDir ContentStagingFile Dir File FileSet IDir
        IFile IFileSet IStagingDir IStagingFile ShardedS3Dataset Staging StagingDir StagingFile
    """,
    "redun.functools": """
        apply_func as_task compose const delay eval_ flat_map flatten force identity map_ no_prov seq
        starmap zip_
    """,
    "redun.handle": "Handle HandleInfo",
    "redun.hashing": "hash_bytes hash_struct hash_tag_bytes",
    "redun.logging": "log_levels logger",
    "redun.namespace": "get_current_namespace namespace",
    "redun.promise": "Promise wait_promises",
    "redun.pytest": "scheduler",
    "redun.scheduler": """
        Scheduler Job JobEnv JobInfo Execution Frame Traceback ErrorValue Thread NoCurrentScheduler
        SchedulerError DryRunResult get_current_scheduler set_current_scheduler root_task needs_root_task
        merge_handles cond throw catch catch_all apply_tags with_export_options subrun fork_thread
        join_thread scheduler_task task Task CacheScope CacheCheckValid CacheResult get_arg_defaults
        set_arg_defaults format_arg format_task_call format_job_statuses get_backend_from_config
        get_limits_from_config get_ignore_warnings_from_config is_debugger_active settrace_patch quote
        JOB_ACTION_WIDTH
    """,
    "redun.scheduler_config": """
        DEFAULT_DB_URI DEFAULT_POSTGRESQL_PORT DEFAULT_REDUN_INI DEFAULT_REPO_NAME REDUN_CONFIG_DIR
        REDUN_CONFIG_ENV REDUN_INI_FILE REDUN_USER_ENV get_abs_config_dir get_abs_db_uri get_abs_url
        postprocess_config
    """,
    "redun.scripting": """
        DEFAULT_SHELL ScriptError exec_script get_command_eof get_task_command get_wrapped_command
        prepare_command script script_task
    """,
    "redun.sphinx": "setup",
    "redun.task": """
        CacheCheckValid CacheResult CacheScope PartialTask SchedulerTask Task TaskRegistry
        get_task_registry hash_args_eval scheduler_task split_task_fullname task wraps_task
    """,
    "redun.tools": "copy_dir copy_file copy_files debug_task render_template",
    "redun.utils": "get_func_source iter_nested_value map_nested_value merge_dicts",
    "redun.value": """
        FileCache InvalidValueError ProxyValue TypeRegistry Value get_type_registry
    """,
}

BASE_TASKS = """
    apply_tags catch catch_all cond fork_thread get_context join_thread merge_handles postprocess_script
    root_task script script_task subrun subrun_root_task throw with_export_options
"""
FUNCTOOLS_TASKS = """
    apply_func compose_apply const eval_ flat_map flatten identity map_ no_prov no_prov_helper seq zip_
"""
# Module -> the tasks that a new interpreter knows once it has imported that module.
TASKS = {
    "redun": BASE_TASKS,
    "redun.scheduler": BASE_TASKS,
    "redun.functools": BASE_TASKS + FUNCTOOLS_TASKS,
    "redun.tools": BASE_TASKS
    + FUNCTOOLS_TASKS
    + "copy_dir copy_file copy_files debug_task render_template",
    "redun.federated_tasks": BASE_TASKS
    + "federated_task lambda_federated_task rest_federated_task",
}


def printed_by(code: str) -> str:
    """Return what a new interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_package_lists_these_names() -> None:
    assert sorted(redun.__all__) == sorted(PACKAGE.split())
    for name in (PACKAGE + UNLISTED).split():
        assert getattr(redun, name) is not None


@pytest.mark.parametrize("name", " ".join(LATER.values()).split())
def test_names_that_come_later_are_not_there_yet(name: str) -> None:
    # Once this fails, the name belongs above.
    assert not hasattr(redun, name)


@pytest.mark.parametrize("name", MODULES)
def test_the_public_modules_have_these_names(name: str) -> None:
    module = importlib.import_module(name)
    assert [wanted for wanted in MODULES[name].split() if not hasattr(module, wanted)] == []
    listed = getattr(module, "__all__", ())
    assert [known for known in listed if not hasattr(module, known)] == []


@pytest.mark.parametrize("name", TASKS)
def test_importing_registers_exactly_these_tasks(name: str) -> None:
    code = (
        f"import json, {name}; from redun.task import get_task_registry; "
        "print(json.dumps([task.fullname for task in get_task_registry()]))"
    )
    found = json.loads(printed_by(code))
    assert sorted(found) == sorted(f"redun.{task}" for task in TASKS[name].split())


def test_functions_that_shadow_their_modules() -> None:
    assert not isinstance(redun.task, ModuleType)
    assert not isinstance(redun.namespace, ModuleType)
    assert isinstance(redun.context, ModuleType)
    assert isinstance(redun.functools, ModuleType)
    code = (
        "import redun, redun.namespace, redun.task as m; import redun.scheduler, redun.cli; "
        "print(callable(redun.task), callable(redun.namespace), m is redun.task)"
    )
    assert printed_by(code) == "True True True\n"


def test_the_version_is_one() -> None:
    from redun.version import version

    assert redun.version == redun.__version__ == version


def test_the_scheduler_module_notices_debuggers() -> None:
    code = (
        "import sys, redun.scheduler as s; print(s.is_debugger_active()); "
        "sys.settrace(lambda *a: None); print(s.is_debugger_active())"
    )
    assert printed_by(code) == "False\nTrue\n"
