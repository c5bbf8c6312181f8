"""The upstream dataflow of a value as an object that prompts and notebooks show."""

from __future__ import annotations

from html import escape
from typing import Any

from sqlalchemy.orm import object_session

from redun.backends.db.dataflow.dom import make_dataflow_dom
from redun.backends.db.dataflow.text import display_dataflow
from redun.backends.db.dataflow.walk import walk_dataflow
from redun.backends.db.orm import CallNode, Value

__all__ = ["Dataflow"]


class Dataflow:
    """
    Where a value comes from.

    Parameters
    ----------
    start : a `Value` of an open repo, or a `CallNode`, whose result is meant.
    name : what the value is called.
    """

    def __init__(self, start: Value | CallNode, name: str = "value") -> None:
        value = start.value if isinstance(start, CallNode) else start
        session: Any = object_session(value)
        self.sections = list(make_dataflow_dom(walk_dataflow(session.backend, value), name))

    def __repr__(self) -> str:
        return "\n".join(display_dataflow(self.sections)).rstrip("\n")

    def _repr_html_(self) -> str:
        return f'<pre style="text-align:left">{escape(repr(self))}</pre>'
