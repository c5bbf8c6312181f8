"""Tasks that belong to the language itself; importing this package registers them."""

from redun.engine import root
from redun.library import control, handles, tagging

__all__ = ["control", "handles", "root", "tagging"]
from redun.library import control, handles, tagging, threads
from redun.library import control, handles, subrun, tagging, threads

__all__ = ["control", "handles", "subrun", "tagging", "threads"]
