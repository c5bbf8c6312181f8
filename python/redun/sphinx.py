"""A Sphinx extension that documents tasks: put `"redun.sphinx"` in the `extensions` of `conf.py`.

`automodule` and `autoclass` then list tasks among the members, with the signature and the docstring of
their functions; `autotask` and `autoscheduler_task` document one task, and the roles `:py:task:` and
`:py:scheduler_task:` refer to one. Two settings choose what stands before the name:
`redun_task_prefix` (default `"(task)"`) and `redun_scheduler_task_prefix` (`"(scheduler_task)"`).
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.domains import ObjType
from sphinx.domains.python import PyFunction, PyXRefRole
from sphinx.ext.autodoc import FunctionDocumenter

from redun.promise import Promise
from redun.task import PartialTask, SchedulerTask, Task

__all__ = [
    "SchedulerTaskDirective",
    "SchedulerTaskDocumenter",
    "TaskDirective",
    "TaskDocumenter",
    "setup",
]

# The scheduler, the parent job and the expression, which callers do not pass.
OWN_PARAMETERS = 3
PROMISE_TEXT = re.compile(r"^(?:[\w.]+\.)?Promise\[(.*)\]$", re.DOTALL)


class TaskDocumenter(FunctionDocumenter):
    """Documents a task as a function of its own kind."""

    objtype = "task"
    member_order = 11
    priority = 15  # above that of attributes, which a task in a class would be

    @classmethod
    def can_document_member(cls, member: Any, membername: str, isattr: bool, parent: Any) -> bool:
        """Whether a member of a module or class is a task of this kind; called by autodoc."""
        return isinstance(member, Task) and not isinstance(member, (SchedulerTask, PartialTask))

    def import_object(self, raiseerror: bool = False) -> bool:
        """Import the task and document its function instead; called by autodoc."""
        found = super().import_object(raiseerror)
        if found and isinstance(self.object, Task):
            self.object = self.described(self.object)
        return found

    def described(self, task: Task[..., Any]) -> Callable[..., Any]:
        """Return a function with the name, signature and docstring that the task is to have."""
        return task.func


class SchedulerTaskDocumenter(TaskDocumenter):
    """Documents a scheduler task as those see it who call it."""

    objtype = "scheduler_task"

    @classmethod
    def can_document_member(cls, member: Any, membername: str, isattr: bool, parent: Any) -> bool:
        """Whether a member of a module or class is a scheduler task; called by autodoc."""
        return isinstance(member, SchedulerTask)

    def described(self, task: Task[..., Any]) -> Callable[..., Any]:
        """Return a function without the parameters that the scheduler fills in."""
        return as_called(task.func)


def as_called(func: Callable[..., Any]) -> Callable[..., Any]:
    """Return a stand-in for the function of a scheduler task, with the signature of its calls.

    The first three parameters are left out, and the promise of a result is shown as that result.
    """
    try:
        hints = typing.get_type_hints(func)
    except Exception:  # names that only type checkers know: the annotations stay text
        hints = dict(getattr(func, "__annotations__", {}))
    signature = inspect.signature(func)
    parameters = [
        parameter.replace(annotation=hints.get(name, parameter.annotation))
        for name, parameter in list(signature.parameters.items())[OWN_PARAMETERS:]
    ]
    result = _promised(hints.get("return", signature.return_annotation))

    @wraps(func)
    def called(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    del called.__wrapped__
    called.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=parameters, return_annotation=result
    )
    annotations = {item.name: item.annotation for item in parameters}
    annotations["return"] = result
    called.__annotations__ = {
        name: value for name, value in annotations.items() if value is not inspect.Parameter.empty
    }
    return called


def _promised(annotation: Any) -> Any:
    """Return `T` for `Promise[T]`, as a type or as text; other annotations stay."""
    if isinstance(annotation, str):
        match = PROMISE_TEXT.match(annotation.strip())
        return match.group(1) if match else annotation
    if typing.get_origin(annotation) is Promise:
        return typing.get_args(annotation)[0]
    return annotation


class TaskDirective(PyFunction):
    """The directive `task` of the domain `py`."""

    prefix_setting: ClassVar[str] = "redun_task_prefix"

    def get_signature_prefix(self, sig: str) -> Sequence[nodes.Node]:
        """Return what stands before the name; called by Sphinx."""
        prefix = getattr(self.config, self.prefix_setting)
        parts = super().get_signature_prefix(sig)
        return [nodes.Text(f"{prefix} "), *parts] if prefix else parts


class SchedulerTaskDirective(TaskDirective):
    """The directive `scheduler_task` of the domain `py`."""

    prefix_setting = "redun_scheduler_task_prefix"


def keep_tasks(
    app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any
) -> bool | None:
    """Keep tasks that autodoc would skip for want of a docstring of the object itself.

    Tasks that are excluded by name, or private and not asked for, stay out. Returns `None` for
    everything but tasks, which leaves the decision to others.
    """
    if not skip or not isinstance(obj, Task):
        return None
    if name in (getattr(options, "exclude_members", None) or ()):
        return None
    private = getattr(options, "private_members", None)
    if name.startswith("_") and (private is None or name not in private):
        return None
    return False


def use_documenters(app: Sphinx, config: Config) -> None:
    """Let autodoc ask documenters, which Sphinx 9 and later do only on request."""
    if hasattr(config, "autodoc_use_legacy_class_based"):
        config.autodoc_use_legacy_class_based = True


def setup(app: Sphinx) -> dict[str, Any]:
    """Set the extension up; called by Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    # Before autodoc itself looks at the setting, at the default priority of 500.
    app.connect("config-inited", use_documenters, priority=100)
    kinds = (
        ("task", "task", TaskDocumenter, TaskDirective),
        ("scheduler_task", "scheduler task", SchedulerTaskDocumenter, SchedulerTaskDirective),
    )
    known = app.registry.domain_object_types.setdefault("py", {})
    for name, title, documenter, directive in kinds:
        app.add_config_value(f"redun_{name}_prefix", f"({name})", "env")
        app.add_autodocumenter(documenter)
        app.add_directive_to_domain("py", name, directive)
        app.add_role_to_domain("py", name, PyXRefRole())
        known[name] = ObjType(title, name, "func", "obj")
    app.connect("autodoc-skip-member", keep_tasks)
    return {"parallel_read_safe": True}
