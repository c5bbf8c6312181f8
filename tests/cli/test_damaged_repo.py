"""Looking at a repo that lacks values, ends or order shows what is there."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "log"

INSTANCE = b"\x80\x03cgone\nThing\n)\x81."

DAMAGES = {
    "values are in a store that is gone": "UPDATE value SET value = x''",
    "classes are unknown": (
        f"UPDATE value SET type = 'gone.Thing', value = X'{INSTANCE.hex()}' WHERE type != 'redun.File'"
    ),
    "values are cut": "UPDATE value SET value = substr(value, 1, 9)",
    "jobs have not ended": "UPDATE job SET end_time = NULL, call_hash = NULL",
    "executions have no root job": "UPDATE execution SET job_id = 'gone'",
    "handles go round": (
        "INSERT INTO handle SELECT value_hash, 'h', value_hash, 'k', 1 FROM value LIMIT 2;"
        "INSERT INTO handle_edge SELECT a.hash, b.hash FROM handle a, handle b"
    ),
    "calls call themselves": (
        "INSERT OR IGNORE INTO call_edge SELECT child_id, parent_id, 90 FROM call_edge;"
        "INSERT OR IGNORE INTO argument_result SELECT arg_hash, call_hash FROM argument"
    ),
}

COMMANDS = [
    ["log", "--all", "--detail"],
    ["log", "--all", "--format", "json"],
    ["log", "--file", "--detail"],
    ["log", "c.txt"],
    ["log", "b6f6101f"],
    ["why", "b6f6101f", "--all"],
    ["diff", "b6f6101f", "8a28a431"],
    ["report", "b6f6101f", "-o", "-"],
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.filterwarnings("ignore:Value data is missing")
def test_everything_is_shown(workdir: Path, program: Any, damage: str) -> None:
    (workdir / ".redun").mkdir()
    (workdir / ".redun" / "redun.ini").write_text("[backend]\ndb_uri = sqlite:///redun.db\n")
    (workdir / "c.txt").touch()
    connection = sqlite3.connect(workdir / ".redun" / "redun.db")
    connection.executescript((GOLDEN / "repo.sql").read_text())
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.executescript(DAMAGES[damage])
    connection.commit()
    connection.close()

    failed = {}
    for words in COMMANDS:
        done = program(*words)
        if done.code or "Traceback (most recent" in done.err or not (done.out or done.err):
            failed[" ".join(words)] = done.err[-1500:]
    assert failed == {}
