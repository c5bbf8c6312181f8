"""Sub-schedulers: evaluate part of a workflow with a scheduler that runs inside a job."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from redun.expression import QuotedExpression, SchedulerExpression, quote
from redun.hashing import get_scheme
from redun.library.tagging import with_export_options
from redun.model.errors import SchedulerError
from redun.model.jobinfo import JobInfo
from redun.promise import Promise
from redun.task import scheduler_task, task
from redun.task.options import CacheCheckValid, CacheResult, CacheScope
from redun.utils import trim_string
from redun.value import get_type_registry

if TYPE_CHECKING:
    from redun.config import Config
    from redun.engine.scheduler import Scheduler
    from redun.model.job import Job

__all__ = ["subrun", "subrun_root_task"]

RULE = "-" * 79
MAX_EXPR = 200
PASSWORD = re.compile(r"(://[^/@:]*):[^/@]*@")

ConfigDict = dict[str, dict[str, str]]


@task(
    namespace="redun",
    version="1",
    config_args=["config", "config_dir", "load_modules", "run_config"],
    cache_scope=CacheScope.CSE,
    check_valid=CacheCheckValid.SHALLOW,
    record_first=True,
)
def subrun_root_task(
    expr: QuotedExpression,
    config: ConfigDict | None,
    config_dir: str | None,
    load_modules: list[str],
    run_config: dict[str, Any],
    export_options: dict[str, Any],
    new_execution: bool = False,
    job_info: JobInfo = JobInfo(),
) -> dict[str, Any]:
    """Evaluate an expression with a scheduler of its own, where this job runs.

    Parameters
    ----------
    expr : what to evaluate.
    config : sections of the configuration.
    config_dir : directory to read the configuration from, if `config` is None.
    load_modules : modules that define the tasks.
    run_config : `dryrun`, `cache` and `context` of the run.
    export_options : options that all calls inherit.
    new_execution : record an execution of its own, rather than jobs below this one.

    Returns a dict of `result`, `error` or `dryrun`, and of `job_id`, `call_hash` (jobs below this one
    only), `config`, `run_config` and `status` (lines of the table of jobs).
    """
    scheduler = _build_scheduler(config, config_dir)
    try:
        for module in load_modules:
            importlib.import_module(module)
        registry = get_type_registry()
        original = expr.eval()
        # In a thread, the expression is that of the calling scheduler, which keeps notes on it.
        copy = registry.deserialize(
            registry.get_type_name(type(original)), registry.serialize(original)
        )
        if export_options:
            copy = with_export_options(copy, export_options)
        if new_execution:
            report = _run_new(scheduler, copy, run_config)
        else:
            if scheduler.backend.get_job(job_info.job_id) is None:
                raise SchedulerError(
                    f"Unknown parent_job_id: {job_info.job_id}. The sub-scheduler works on another "
                    "repo than the one that records this job.",
                    hints=["pass `new_execution=True`, or configure the same repo for both"],
                )
            report = scheduler.extend_run(copy, job_info.job_id, **run_config)
            if "error" in report:
                from redun.model.failure import ErrorValue

                report["error"] = ErrorValue(report["error"], scheduler.traceback)
        report["config"] = {
            name: {key: PASSWORD.sub(r"\1:***@", value) for key, value in section.items()}
            for name, section in scheduler.config.get_config_dict().items()
        }
        report["run_config"] = {key: run_config[key] for key in ("dryrun", "cache")}
        report["status"] = scheduler.get_job_status_report()
        return report
    finally:
        scheduler.backend.close()


def _build_scheduler(config: ConfigDict | None, config_dir: str | None) -> Scheduler:
    from redun.config import Config
    from redun.engine.scheduler import Scheduler
    from redun.scheduler_config import read_config_dir

    parsed = read_config_dir(config_dir) if config_dir is not None else Config(config or {})
    scheduler = Scheduler(config=parsed)
    scheduler.load()
    return scheduler


def _run_new(scheduler: Scheduler, expr: Any, run_config: dict[str, Any]) -> dict[str, Any]:
    from redun.model.errors import DryRunResult

    report: dict[str, Any] = {}
    try:
        report["result"] = scheduler.run(expr, **run_config)
    except DryRunResult:
        report["dryrun"] = True
    report["job_id"] = scheduler.root_job_id
    return report


@scheduler_task(namespace="redun")
def subrun(
    scheduler: Scheduler,
    parent_job: Job,
    sexpr: SchedulerExpression,
    expr: Any,
    executor: str,
    config: ConfigDict | None = None,
    config_dir: str | None = None,
    new_execution: bool = False,
    load_modules: list[str] | None = None,
    **task_options: Any,
) -> Promise:
    """Evaluate an expression with a scheduler that runs as a job of an executor.

    Parameters
    ----------
    expr : what to evaluate there.
    executor : name of the executor of that job.
    config : sections of the configuration of the sub-scheduler; by default those of this one.
    config_dir : directory to read its configuration from instead.
    new_execution : record an execution of its own. Otherwise its jobs are recorded below the job that
        runs it, which takes the same repo: where this repo is in memory, which nothing else can open,
        the sub-scheduler has one of its own.
    load_modules : modules that define the tasks; by default those of all tasks known here.
    task_options : further options of the job that runs the sub-scheduler.
    """
    assert config is None or config_dir is None, "Only one of config and config_dir can be used"
    if config is None and config_dir is None:
        config = _own_config(scheduler.config)
        new_execution = new_execution or not scheduler.backend.can_be_shared
    if load_modules is None:
        load_modules = sorted(_modules(scheduler.task_registry))
    options = sexpr._options
    call: Any = subrun_root_task.options(
        executor=executor,
        cache_scope=options.get("cache_scope", CacheScope.BACKEND),
        check_valid=options.get("check_valid", CacheCheckValid.SHALLOW),
        allowed_cache_results={CacheResult.CSE, CacheResult.ULTIMATE},
        **task_options,
    )(
        expr=quote(expr),
        config=config,
        config_dir=config_dir,
        load_modules=load_modules,
        run_config={
            "dryrun": scheduler.dryrun,
            "cache": scheduler.use_cache,
            "context": parent_job.get_context(),
        },
        export_options=parent_job.get_export_options(),
        new_execution=new_execution or not parent_job.recording_provenance(),
    )
    result: Promise = Promise()

    def on_report(report: dict[str, Any]) -> None:
        _log_report(scheduler, executor, expr, report)
        if report.get("call_hash") and call.call_hash:
            scheduler.current_run.journal.call_below(
                call.call_hash, report["call_hash"], parent_job
            )
        if "error" in report:
            result.do_reject(report["error"].error)
        elif "result" in report:
            result.do_resolve(report["result"])

    scheduler.evaluate(call, parent_job=parent_job).then(on_report).catch(result.do_reject)
    return result


def _own_config(config: Config) -> ConfigDict:
    """Return the configuration for use elsewhere, where its directory is the working directory."""
    sections = config.get_config_dict(replace_config_dir=".")
    backend = sections.setdefault("backend", {})
    uri = config.get_config_dict().get("backend", {}).get("db_uri", "")
    if uri.startswith("sqlite"):
        backend["db_uri"] = uri  # a file has no other name for jobs on this machine
    backend.setdefault("hash_scheme", get_scheme())
    return sections


def _modules(tasks: Iterable[Any]) -> set[str]:
    """Return the modules that define tasks of users."""
    modules = {task.load_module for task in tasks}
    return {name for name in modules if name != "redun" and not name.startswith("redun.")}


def _log_report(scheduler: Scheduler, executor: str, expr: Any, report: dict[str, Any]) -> None:
    import pprint

    title = f"(executor='{executor}'), {trim_string(repr(expr), MAX_EXPR)}"
    lines = [
        "",
        RULE,
        f"BEGIN: Sub-scheduler report {title}",
        RULE,
        "Sub-scheduler config:",
        pprint.pformat(report["config"]),
        "",
        "Sub-scheduler run_config:",
        pprint.pformat(report["run_config"]),
        "",
        "Sub-scheduler final job status:",
        *report["status"],
        "",
        RULE,
        "END: Sub-scheduler report",
        RULE,
        "",
    ]
    for line in lines:
        scheduler.log(line)
