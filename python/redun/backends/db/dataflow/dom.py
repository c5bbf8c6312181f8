"""
A dataflow as a document: sections of lines with variable names, ready to show or to serialize.

Names come from the code: parameters as the stored source of the task names them, `<task>_result`
for a result that something derives from. A name taken already gets a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from redun.backends.db.dataflow.nodes import (
    CALL,
    AnyArgument,
    AnyCall,
    AnyTask,
    AnyValue,
    ArgumentValue,
    CallNodeValue,
    DataflowEdge,
    DataflowNode,
    NodeKey,
    key_of,
)
from redun.backends.db.dataflow.parameters import Parameters, parse_parameters
from redun.backends.db.dataflow.sections import Section, iter_sections

DERIVES_FROM = "derives from"
ORIGIN = "origin"
ARGUMENT_OF = "argument of"


@dataclass(frozen=True)
class DataflowAssign:
    """First line of a section. `prefix` is "" or `argument of`; `node` is None where no call is."""

    var_name: str
    prefix: str
    node_display: str
    node: DataflowNode | None


@dataclass(frozen=True)
class DataflowRouting:
    """A further step upstream."""

    prefix: str
    node_display: str
    node: DataflowNode | None


@dataclass(frozen=True)
class DataflowArg:
    """A variable and its value: an argument, or a part that the section's variable derives from."""

    var_name: str
    value: AnyValue


@dataclass(frozen=True)
class DataflowSectionDOM:
    """One section: where one variable comes from."""

    assign: DataflowAssign
    routing: list[DataflowRouting]
    args: list[DataflowArg]


def make_dataflow_dom(
    edges: Iterable[DataflowEdge], new_varname: str = "value"
) -> Iterator[DataflowSectionDOM]:
    """
    The sections of a dataflow, from the value looked at upstream.

    Parameters
    ----------
    edges : what `walk_dataflow` yields.
    new_varname : the name of the value looked at.
    """
    naming = _Naming()
    # Hashes of what was told: the texts of a wide dataflow would be as much as the rest of it.
    told: set[int] = set()
    for section in iter_sections(edges):
        dom = naming.section(section, new_varname)
        content = (dom.assign.var_name, dom.assign.node_display, _hash_of(dom.assign.node))
        steps = tuple((step.node_display, _hash_of(step.node)) for step in dom.routing)
        args = tuple(arg.var_name for arg in dom.args)
        key = hash((content, steps, args))
        if key not in told:
            told.add(key)
            yield dom


def call_of(node: DataflowNode | None) -> AnyCall | None:
    """The call a node belongs to; None for plain values and the origin."""
    if isinstance(node, CallNodeValue):
        return node.call_node
    if isinstance(node, ArgumentValue):
        return node.argument.call_node
    is_call = node is not None and key_of(node)[0] == CALL
    return cast(AnyCall, node) if is_call else None


def _hash_of(node: DataflowNode | None) -> str | None:
    call = call_of(node)
    return call.call_hash if call else None


class _Naming:
    """Gives variables to nodes, and shows nodes by them."""

    def __init__(self) -> None:
        self._names: dict[NodeKey, str] = {}
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}
        self._parameters: dict[str, Parameters] = {}

    def section(self, section: Section, start_name: str) -> DataflowSectionDOM:
        var_name = self._name(section.head, start_name)
        if section.parts:
            parts = [
                DataflowArg(self._name(part, f"{_task_of(part.call_node).name}_result"), part.value)
                for part in section.parts
            ]
            return DataflowSectionDOM(DataflowAssign(var_name, "", DERIVES_FROM, None), [], parts)
        args = [
            DataflowArg(self._name(arg, self._parameter_name(arg.argument)), arg.value)
            for arg in section.args
        ]
        lines = self._lines(section, var_name)
        first, *others = lines
        return DataflowSectionDOM(DataflowAssign(var_name, *first), _routing(others), args)

    def _lines(self, section: Section, var_name: str) -> list[tuple[str, str, DataflowNode | None]]:
        """Prefix, text and node of each step."""
        path = section.path
        calls = [index for index, node in enumerate(path) if node is not None]
        lines: list[tuple[str, str, DataflowNode | None]] = []
        for index, node in enumerate(path):
            if node is None:
                lines.append(("", ORIGIN, None))
                continue
            prefix = ARGUMENT_OF if isinstance(node, ArgumentValue) else ""
            renames = self._renames(section.args) if index == calls[-1] else {}
            lines.append((prefix, self._call_text(node, renames), node))
        if section.renamed:
            last = path[-1]
            assert last is not None
            line = ("", self._name(last, var_name), last)
            if len(path) == 1:
                lines = [line]
            else:
                lines.append(line)
        return lines

    def _name(self, node: DataflowNode, wanted: str) -> str:
        """The variable of a node; a new one is as much like `wanted` as can be."""
        key = key_of(node)
        if key not in self._names:
            self._names[key] = self._unused(wanted)
        return self._names[key]

    def _unused(self, wanted: str) -> str:
        base = re.sub(r"_\d+$", "", wanted)
        number = self._numbers.get(base, 0) + 1
        while (name := base if number == 1 else f"{base}_{number}") in self._taken:
            number += 1
        self._numbers[base] = number
        self._taken.add(name)
        return name

    def _renames(self, args: list[ArgumentValue]) -> dict[str, str]:
        """Parameter name to variable, for the arguments that are shown below a call."""
        return {self._parameter_name(arg.argument): self._names[arg.key] for arg in args}

    def _call_text(self, node: DataflowNode, renames: dict[str, str]) -> str:
        call = call_of(node)
        assert call is not None
        task = _task_of(call)
        names = self._parameters_of(task).names
        if names is None:
            count = sum(1 for arg in call.arguments if arg.arg_key is None)
            names = [f"arg{index}" for index in range(count)]
        shown = ", ".join(renames.get(name, name) for name in names)
        return f"{task.name}({shown})"

    def _parameter_name(self, argument: AnyArgument) -> str:
        if argument.arg_key is not None:
            return argument.arg_key
        parameters = self._parameters_of(_task_of(argument.call_node))
        return parameters.name(argument.arg_position or 0)

    def _parameters_of(self, task: AnyTask) -> Parameters:
        if task.hash not in self._parameters:
            self._parameters[task.hash] = parse_parameters(task.source)
        return self._parameters[task.hash]


def _routing(lines: list[tuple[str, str, DataflowNode | None]]) -> list[DataflowRouting]:
    return [DataflowRouting(*line) for line in lines]


def _task_of(call: AnyCall) -> AnyTask:
    return call.task
