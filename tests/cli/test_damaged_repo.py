"""Looking at a repo that lacks values, ends or order shows what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

INSTANCE = b"\x80\x03cgone\nThing\n)\x81."

DAMAGES: dict[str, list[tuple[str, tuple[Any, ...]]]] = {
    "values are in a store that is gone": [("UPDATE value SET value = ?", (b"",))],
    "classes are unknown": [
        ("UPDATE value SET type = 'gone.Thing', value = ? WHERE type != 'redun.File'", (INSTANCE,))
    ],
    "values are cut": [("UPDATE value SET value = substr(value, 1, 9)", ())],
    "jobs have not ended": [("UPDATE job SET end_time = NULL, call_hash = NULL", ())],
    "executions have no root job": [("UPDATE execution SET job_id = 'gone'", ())],
    "handles go round": [
        ("INSERT INTO handle SELECT value_hash, 'h', value_hash, 'k', TRUE FROM value LIMIT 2", ()),
        ("INSERT INTO handle_edge SELECT a.hash, b.hash FROM handle a, handle b", ()),
    ],
    "calls call themselves": [
        (
            "INSERT INTO call_edge SELECT child_id, parent_id, 90 FROM call_edge WHERE TRUE "
            "ON CONFLICT DO NOTHING",
            (),
        ),
        (
            "INSERT INTO argument_result SELECT arg_hash, call_hash FROM argument WHERE TRUE "
            "ON CONFLICT DO NOTHING",
            (),
        ),
    ],
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
def test_everything_is_shown(
    workdir: Path, program: Any, own_recorded_repo: str, rows_of: Any, damage: str
) -> None:
    (workdir / ".redun").mkdir()
    (workdir / ".redun" / "redun.ini").write_text(f"[backend]\ndb_uri = {own_recorded_repo}\n")
    (workdir / "c.txt").touch()
    for statement, params in DAMAGES[damage]:
        rows_of(own_recorded_repo, statement, *params, check=False)

    failed = {}
    for words in COMMANDS:
        done = program(*words)
        if done.code or "Traceback (most recent" in done.err or not (done.out or done.err):
            failed[" ".join(words)] = done.err[-1500:]
    assert failed == {}
