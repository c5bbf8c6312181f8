"""How long the texts are that columns on PostgreSQL hold; those of SQLite hold any."""

from __future__ import annotations

from redun.backends.db.source import Source
from redun.backends.db.statements import Lengths

LENGTHS = (
    "SELECT table_name, column_name, character_maximum_length FROM information_schema.columns "
    "WHERE table_schema = current_schema() AND character_maximum_length IS NOT NULL"
)


def column_lengths(source: Source) -> Lengths:
    """In characters, of columns with a limit."""
    return {(table, column): length for table, column, length in source.rows(LENGTHS)}
