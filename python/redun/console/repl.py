"""A prompt to ask the repo with Python."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input, RichLog

from redun.console.evaluate import completions, evaluate, make_names
from redun.console.inputs import ReplInput
from redun.console.records import place_of
from redun.console.repo import UnknownRecord
from redun.console.screen import Content, RedunScreen, expected_errors, message_of
from redun.console.text import plain

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb

INTRO = """\
# Python, with the records of this repo. Expressions show their value.
# console(x) goes to a record or id, query(id or model) looks one up."""


class ReplScreen(RedunScreen):
    """
    What is typed is evaluated, and nothing else.

    Parameters
    ----------
    path, values : see `RedunScreen`.
    source : the screen it was opened from, whose names it has.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("c", "clear", "Clear")]

    def __init__(
        self, path: str, values: dict[str, Any] | None = None, source: RedunScreen | None = None
    ) -> None:
        super().__init__(path, values)
        self._source = source
        self._names: dict[str, Any] = {}
        self._target: list[str] | None = None

    def compose_body(self) -> Iterable[Widget]:
        """The parts between header and footer."""
        yield RichLog(id="log", wrap=True, markup=False, highlight=False)
        yield ReplInput(placeholder="Python...", id="prompt")

    def focus_body(self) -> None:
        """Puts the cursor into the input line."""
        self.query_one("#prompt", ReplInput).focus()

    async def _load(self) -> None:
        """Makes the names and tells what they are."""
        try:
            await self.console.repo.evaluate(self._make_names)
        except expected_errors() as error:
            if self.is_open:
                self.say(message_of(error))
            return
        if not self.is_open:
            return
        self.say("")
        self._intro()

    def _make_names(self, backend: RedunBackendDb) -> None:
        self._names.update(make_names(backend, self._remember_target))
        if self._source is not None:
            self._names.update(self._source.repl_names(backend))
        record_id = self.path.partition("/")[2]
        if record_id:
            from redun.backends.db.query import infer_id

            found = infer_id(backend.session, record_id)
            if found is None:
                raise UnknownRecord(f"Unknown record {record_id}")
            self._names["obj"] = found

    def _intro(self) -> None:
        self._print(INTRO)
        own = sorted(name for name in self._names if not name.startswith("__"))
        self._print("# Names: " + ", ".join(own))

    def _print(self, text: str, style: str = "") -> None:
        if text:
            log = self.query_one("#log", RichLog)
            width = max(log.scrollable_content_region.width, 20)
            log.write(plain(text.rstrip("\n"), style), width=width)

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        """Called by Textual for enter."""
        text, prompt = event.value, self.query_one("#prompt", ReplInput)
        if not text.strip():
            return
        prompt.remember(text)
        prompt.value = ""
        self._print(f">>> {text}", "bold")
        self.run_worker(self._evaluate(text), group="evaluate")

    async def _evaluate(self, text: str) -> None:
        printed = await self.console.repo.evaluate(lambda _backend: evaluate(text, self._names))
        if not self.is_open:
            return
        self._print(printed)
        target, self._target = self._target, None
        if target:
            await self.console.open(target)

    def _remember_target(self, record: Any) -> None:
        """`console(x)`: where to go once the evaluation is over."""
        from redun.backends.db.query import CallGraphQuery

        key = CallGraphQuery.MODEL_PKS.get(type(record))
        if key is None:
            self._target = [str(record)]
        else:
            session = self._names["session"]
            self._target = place_of(session, type(record).__name__, getattr(record, key.key))

    def complete(self, prompt: ReplInput) -> None:
        """Completes what stands before the cursor, or lists the choices."""
        self.run_worker(self._complete(prompt), exclusive=True, group="complete")

    async def _complete(self, prompt: ReplInput) -> None:
        typed, position = prompt.value, prompt.cursor_position
        text, choices = await self.console.repo.evaluate(
            lambda _backend: completions(typed[:position], self._names)
        )
        if not self.is_open or prompt.value != typed:
            return
        prompt.value = text + typed[position:]
        prompt.cursor_position = len(text)
        if choices and text == typed[:position]:
            self._print("  ".join(choices[:200]), "dim")

    def action_clear(self) -> None:
        """Empties the log."""
        self.query_one("#log", RichLog).clear()

    def show(self, content: Content) -> None:
        """Nothing is read for this screen."""
