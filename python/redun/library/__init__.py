"""Tasks that belong to the language itself; importing this package registers them."""

from redun.engine import root
from redun.library import control, handles, subrun, tagging, threads

__all__ = ["control", "handles", "root", "subrun", "tagging", "threads"]
