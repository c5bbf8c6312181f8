"""The upstream dataflow of a value as an object that prompts and notebooks show."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from redun.backends.db.dataflow.dom import make_dataflow_dom
from redun.backends.db.dataflow.nodes import source_of
from redun.backends.db.dataflow.text import display_dataflow
from redun.backends.db.dataflow.walk import dataflow_of_value

if TYPE_CHECKING:
    from redun.backends.db.orm import CallNode, Value

__all__ = ["Dataflow"]


class Dataflow:
    """
    Where a value comes from.

    Parameters
    ----------
    start : a `Value` of an open repo, or a `CallNode`, whose result is meant.
    name : what the value is called.

    Raises `ValueError` for a detached row.
    """

    def __init__(self, start: Value | CallNode, name: str = "value") -> None:
        source = source_of(start)
        if source is None:
            raise ValueError(f"{type(start).__name__} row is not attached to a session")
        self.sections = list(make_dataflow_dom(dataflow_of_value(source, start.value_hash), name))

    def __repr__(self) -> str:
        return "\n".join(display_dataflow(self.sections)).rstrip("\n")

    def _repr_html_(self) -> str:
        return f'<pre style="text-align:left">{escape(repr(self))}</pre>'
