"""The line at the bottom that tells the keys."""

from __future__ import annotations

from typing import Any

from textual.widgets import Footer


class Keys(Footer):
    """
    The keys of a screen, made anew only when there are others.

    Textual asks for that each time the cursor moves to another part, five times while a screen opens;
    each time it costs as much as the rest of the screen.
    """

    _shown: list[tuple[Any, ...]] | None = None

    async def recompose(self) -> None:
        """Called by Textual when the keys may have changed."""
        active = self.screen.active_bindings.values()
        keys = [(entry.binding, entry.enabled) for entry in active if entry.binding.show]
        if keys != self._shown:
            self._shown = keys
            await super().recompose()
