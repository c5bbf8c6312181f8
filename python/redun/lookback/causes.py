"""Why a call was not answered by an earlier one: compares the two as they are recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from redun.backends.db.repo import hashing_as
from redun.hashing import hash_struct
from redun.lookback.facts import Facts, TaskFacts
from redun.lookback.sources import SourceChange, compare_sources, defaults_from_context
from redun.lookback.trees import JobFacts

# Kinds of causes.
NEW_TASK = "new task"
NEW_CALL = "new call"
NAMESPACE = "namespace"
VERSION = "version"
HASH_INCLUDES = "hash_includes"
CODE = "code"
DEFAULT = "default"
ARGUMENT = "argument"
CONTEXT = "context"
OPTION = "option"
RESULT = "result"
CACHE_OFF = "cache off"
FAILURE = "failure"
UNFINISHED = "unfinished"
TASK_BELOW = "task below"
UNKNOWN = "unknown"


@dataclass(slots=True)
class Cause:
    """
    One reason.

    Parameters
    ----------
    kind : one of the kinds above; of a change of code in a single respect, that respect: `body`,
        `docstring`, `signature`, `annotations`, `decorators`, `comments`.
    text : one line.
    detail : further lines, such as a diff.
    facts : the same for programs.
    calls : calls of the same run from whose results an argument was computed.
    """

    kind: str
    text: str
    detail: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)


class Comparison:
    """
    Finds the causes of jobs.

    Parameters
    ----------
    facts : what is recorded.
    scheme : how the repo hashes.
    """

    def __init__(self, facts: Facts, scheme: str) -> None:
        self._facts = facts
        self._scheme = scheme

    def causes(self, before: JobFacts, after: JobFacts, reason: Any) -> list[Cause]:
        """
        Why `after` ran although `before` had.

        Parameters
        ----------
        reason : what the engine noted about `after`, if anything.
        """
        if reason is not None:
            return [noted_cause(reason)]
        found: list[Cause] = []
        defaults: list[str] = []
        if before.task_hash != after.task_hash:
            cause, defaults = self.task_cause(before.task_hash, after.task_hash)
            found.append(cause)
        found += self.argument_causes(before, after, defaults)
        if found:
            return found
        return [self._other_cause(before, after)]

    # -- code ------------------------------------------------------------------------------------

    def task_cause(self, before: str, after: str) -> tuple[Cause, list[str]]:
        old, new = self._facts.task(before), self._facts.task(after)
        change = compare_sources(old.source, new.source)
        if old.name != new.name and change is None:
            return _namespace_cause(old, new), []
        if old.version != new.version or (change is None and new.version is not None):
            return _version_cause(old, new, change), []
        if change is None:
            text = f"what `hash_includes` of {new.name} holds changed"
            return Cause(HASH_INCLUDES, text, facts={"task": new.name}), []
        return _code_cause(new, change), change.defaults

    # -- arguments -------------------------------------------------------------------------------

    def argument_causes(
        self, before: JobFacts, after: JobFacts, defaults: list[str]
    ) -> list[Cause]:
        if not before.call_hash or not after.call_hash or before.args_hash == after.args_hash:
            return []
        old, new = self._facts.call(before.call_hash), self._facts.call(after.call_hash)
        changed = [
            name
            for name in {**new.values, **old.values}
            if old.values.get(name) != new.values.get(name)
        ]
        causes: list[Cause] = []
        if not changed and before.task_hash == after.task_hash:
            text = f"other arguments of {after.task_name} count than before (`config_args`)"
            causes.append(Cause(OPTION, text, facts={"option": "config_args"}))
        explained = set(defaults)
        if old.context != new.context:
            source = self._facts.task(after.task_hash).source
            looked_up = [name for name in defaults_from_context(source) if name in changed]
            if looked_up:
                causes.append(self._context_cause(old.context, new.context))
                explained.update(looked_up)
        for name in changed:
            if name not in explained:
                was, now = old.values.get(name), new.values.get(name)
                causes.append(self._argument_cause(name, was, now, new.upstream.get(name, [])))
        return causes

    def _argument_cause(
        self, name: str, was: str | None, now: str | None, calls: list[str]
    ) -> Cause:
        shown = self._facts.shown
        facts: dict[str, Any] = {
            "argument": name,
            "before": None if was is None else {"value_hash": was, "shown": shown(was)},
            "after": None if now is None else {"value_hash": now, "shown": shown(now)},
        }
        if was is None:
            assert now is not None
            return Cause(ARGUMENT, f"argument `{name}` is new: {shown(now)}", [], facts, calls)
        if now is None:
            return Cause(ARGUMENT, f"argument `{name}` is gone: {shown(was)}", [], facts, calls)
        detail, files = self.file_changes(was, now)
        if files:
            facts["files"] = files
        if shown(was) == shown(now):
            text = f"argument `{name}` changed: {shown(now)}"
        else:
            text = f"argument `{name}` changed: {shown(was)} -> {shown(now)}"
        return Cause(ARGUMENT, text, detail, facts, calls)

    def file_changes(self, was: str, now: str) -> tuple[list[str], list[dict[str, str]]]:
        """What happened to the files that two values are or hold."""
        old, new = self._facts.files(was), self._facts.files(now)
        lines, files = [], []
        for path in {**old, **new}:
            before, after = old.get(path), new.get(path)
            if before == after:
                continue
            if before is None:
                change = "new"
            elif after is None:
                change = "left out"
            elif after == self._missing_file(path):
                change = "deleted"
            elif before == self._missing_file(path):
                change = "created"
            else:
                change = "changed"
            lines.append(f"file {path}: {change}")
            files.append({"path": path, "change": change})
        return lines, files

    def _missing_file(self, path: str) -> str:
        """The hash of a local file that isn't there; see `redun.file.fs.local`."""
        with hashing_as(self._scheme):
            return hash_struct(["File", "local", path, -1, "-1"])

    # -- neither ---------------------------------------------------------------------------------

    def _other_cause(self, before: JobFacts, after: JobFacts) -> Cause:
        facts: dict[str, Any] = {"job": before.id, "execution": before.execution_id}
        earlier = f"Job {before.id[:8]} of Exec {before.execution_id[:8]}"
        if before.status == "FAILED":
            return Cause(FAILURE, f"the earlier call failed ({earlier})", facts=facts)
        if before.status == "RUNNING":
            text = f"the earlier call has not finished or was killed ({earlier})"
            return Cause(UNFINISHED, text, facts=facts)
        if before.call_hash and after.call_hash:
            old, new = self._facts.call(before.call_hash), self._facts.call(after.call_hash)
            if old.context != new.context:
                return self._context_cause(old.context, new.context)
            if before.call_hash == after.call_hash and new.context is not None:
                # Both came to the same call, which then belongs to several contexts.
                return Cause(CONTEXT, "it was not called in this context before")
            below = self._tasks_below(before.call_hash, after.call_hash)
            if below:
                text = "a task below it changed: " + ", ".join(below)
                return Cause(TASK_BELOW, text, facts={"tasks": below})
        if after.status == "RUNNING" or not after.call_hash:
            return Cause(UNFINISHED, "it has not finished: its arguments are not recorded yet")
        text = f"no cause is recorded; an equal call is {earlier}"
        return Cause(UNKNOWN, text, facts=facts)

    def _context_cause(self, was: str | None, now: str | None) -> Cause:
        shown = [None if value is None else self._facts.shown(value) for value in (was, now)]
        text = f"context changed: {shown[0] or '{}'} -> {shown[1] or '{}'}"
        return Cause(CONTEXT, text, facts={"before": shown[0], "after": shown[1]})

    def _tasks_below(self, before: str, after: str) -> list[str]:
        """Names of tasks that both calls used, in different versions."""
        old, new = self._facts.tasks_below(before), self._facts.tasks_below(after)
        return sorted(name for name in old if name in new and old[name] != new[name])


def noted_cause(reason: Any) -> Cause:
    """The cause that the engine noted; the notes of later versions are shown as they are."""
    if isinstance(reason, dict) and reason.get("cause") == RESULT:
        name = reason.get("path") or reason.get("task") or ""
        what = f"{reason.get('type', 'value')} {name}".strip()
        change = reason.get("change", "is no longer valid")
        return Cause(RESULT, f"the recorded result no longer holds: {what} {change}", facts=reason)
    if reason == CACHE_OFF:
        return Cause(CACHE_OFF, "the cache is off for this task, or for the whole execution")
    return Cause(UNKNOWN, f"noted: {reason}")


def _namespace_cause(old: TaskFacts, new: TaskFacts) -> Cause:
    text = f"task {old.name} is now {new.name}"
    return Cause(NAMESPACE, text, facts={"before": old.name, "after": new.name})


def _version_cause(old: TaskFacts, new: TaskFacts, change: SourceChange | None) -> Cause:
    if old.version == new.version:
        text = f"what `hash_includes` of {new.name} holds changed"
        return Cause(HASH_INCLUDES, text, facts={"task": new.name})
    shown = [repr(task.version) if task.version else "none" for task in (old, new)]
    text = f"version of {new.name} changed: {shown[0]} -> {shown[1]}"
    facts = {"task": new.name, "before": old.version, "after": new.version}
    return Cause(VERSION, text, change.diff if change else [], facts)


def _code_cause(task: TaskFacts, change: SourceChange) -> Cause:
    facts = {
        "task": task.name,
        "parts": change.parts,
        "defaults": change.defaults,
        "diff": change.diff,
    }
    if not change.parts:
        names = ", ".join(f"`{name}`" for name in change.defaults)
        text = f"default of {names} of {task.name} changed"
        return Cause(DEFAULT, text, change.diff, facts)
    parts = [*change.parts, *(f"default of `{name}`" for name in change.defaults)]
    kind = parts[0] if len(parts) == 1 else CODE
    text = f"code of {task.name} changed: {', '.join(parts)}"
    return Cause(kind, text, change.diff, facts)
