"""A table that is filled anew without losing its place."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.coordinate import Coordinate
from textual.widgets import DataTable

from redun.console.text import Row


class Grid(DataTable[Text]):
    """
    Rows that may lead somewhere.

    Parameters
    ----------
    by_cell : whether a cell is chosen rather than a row.
    """

    def __init__(self, id: str, show_header: bool = True, by_cell: bool = False) -> None:
        super().__init__(
            id=id, show_header=show_header, cursor_type="cell" if by_cell else "row", cell_padding=1
        )
        self._shown: Sequence[Row] = ()
        self.styles.height = "1fr"

    def fill(self, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Shows rows; the cursor stays with what it was on."""
        place, old = self.cursor_coordinate, self._shown
        self.clear(columns=True)
        for index, name in enumerate(columns):
            width = max((row.cells[index].cell_len for row in rows), default=0)
            self.add_column(name, width=max(width, len(name), 1))
        for row in rows:
            self.add_row(*row.cells)
        self._shown = rows
        if rows:
            at = self._row_like(old[place.row] if place.row < len(old) else None, place.row)
            self.move_cursor(row=at, column=place.column, animate=False)

    @property
    def target(self) -> str | None:
        """Where what the cursor is on leads."""
        place: Coordinate = self.cursor_coordinate
        if place.row >= len(self._shown):
            return None
        row = self._shown[place.row]
        if self.cursor_type == "cell":
            return row.targets[place.column] if place.column < len(row.targets) else None
        return row.target

    def _row_like(self, wanted: Row | None, number: int) -> int:
        """The row with the same target, else the one that stands in the same place."""
        last = len(self._shown) - 1
        if wanted is not None and wanted.target is not None and number > 0:
            if number <= last and self._shown[number].target == wanted.target:
                return number
            for index, row in enumerate(self._shown):
                if row.target == wanted.target:
                    return index
        return min(number, last)
