"""Pickles in repos name classes by module: a class that moves to another file must keep its public name.

The hash of a value is often the hash of its pickle, so a changed name would also change hashes.
"""

from __future__ import annotations

import importlib
import pickle
import pkgutil
import sys
from collections.abc import Iterator

import pytest

import redun

# What a repo may hold, by the names that existing repos use. A name that is not there yet is added
# with the module that brings it.
PICKLED = {
    "redun.expression": (
        "Expression",
        "QuotedExpression",
        "SchedulerExpression",
        "SimpleExpression",
        "TaskExpression",
        "ValueExpression",
    ),
    "redun.file": (
        "ContentDir",
        "ContentFile",
        "ContentFileSet",
        "ContentStagingDir",
        "ContentStagingFile",
        "Dir",
        "File",
        "FileSet",
        "IDir",
        "IFile",
        "IFileSet",
        "IStagingDir",
        "IStagingFile",
        "StagingDir",
        "StagingFile",
    ),
    "redun.handle": ("Handle",),
    "redun.scheduler": (
        "DryRunResult",
        "ErrorValue",
        "Frame",
        "JobInfo",
        "SchedulerError",
        "Traceback",
    ),
    "redun.task": (
        "CacheCheckValid",
        "CacheResult",
        "CacheScope",
        "PartialTask",
        "SchedulerTask",
        "Task",
    ),
    "redun.value": ("Function", "ProxyValue", "Value"),
}
NAMES = [(module, name) for module, names in PICKLED.items() for name in names]

# Internals whose classes are public under the name of a face.
FACE_OF = {
    "redun.backends.db": "redun.backends.db",
    "redun.engine": "redun.scheduler",
    "redun.file": "redun.file",
    "redun.library": "redun.scheduler",
    "redun.model": "redun.scheduler",
    "redun.task": "redun.task",
    "redun.utils": "redun.utils",
    "redun.value": "redun.value",
}


def all_modules() -> Iterator[str]:
    """Yield the name of each module whose classes a repo may hold: no commands, no migrations."""
    for module in pkgutil.walk_packages(redun.__path__, "redun."):
        if not module.name.startswith(("redun.cli", "redun.backends.db.alembic")):
            yield module.name


def pickled_classes() -> Iterator[type]:
    """Yield each public class of ours whose instances end up in pickles: values, and errors of tasks."""
    from redun.value import Value

    seen: set[type] = set()
    for module in map(importlib.import_module, all_modules()):
        for thing in vars(module).values():
            if (
                isinstance(thing, type)
                and issubclass(thing, (Value, BaseException))
                and thing.__module__.startswith("redun.")
                and not thing.__module__.startswith("redun.cli")
                and not thing.__name__.startswith("_")
                and thing not in seen
            ):
                seen.add(thing)
                yield thing


@pytest.mark.parametrize(("module", "name"), NAMES, ids=lambda part: part)
def test_class_is_pickled_under_its_public_name(module: str, name: str) -> None:
    cls = getattr(importlib.import_module(module), name)
    assert (cls.__module__, cls.__qualname__) == (module, name)
    assert pickle.loads(pickle.dumps(cls, protocol=3)) is cls


def test_no_pickled_class_shows_where_its_file_is() -> None:
    hidden = []
    for cls in pickled_classes():
        for package, face in FACE_OF.items():
            if cls.__module__ != face and cls.__module__.startswith(f"{package}."):
                hidden.append(f"{cls.__module__}.{cls.__qualname__}: pin __module__ to {face}")
    assert hidden == []


def test_pickled_classes_can_be_found_by_their_names() -> None:
    lost = [
        f"{cls.__module__}.{cls.__qualname__}"
        for cls in pickled_classes()
        if getattr(sys.modules[cls.__module__], cls.__qualname__, None) is not cls
    ]
    assert lost == []
