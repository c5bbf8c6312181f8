"""2.1: Backfill companion values for tasks."""

import pickle
from typing import Any

import sqlalchemy as sa
from alembic import context, op

revision = "30ffbaee18cd"
down_revision = "647c510a77b1"

# Tasks that returned shell scripts; the flag wasn't recorded before.
SCRIPT_TASKS = frozenset({"redun.script_task"})


def upgrade() -> None:
    if context.is_offline_mode():
        return  # needs to read the tasks
    connection = op.get_bind()
    tasks = connection.execute(
        sa.text(
            "SELECT task.hash, task.name, task.namespace FROM task "
            "LEFT JOIN value ON value.value_hash = task.hash WHERE value.value_hash IS NULL"
        )
    ).all()
    if not tasks:
        return
    insert = sa.text(
        "INSERT INTO value (value_hash, type, format, value) "
        "VALUES (:hash, 'redun.Task', 'application/python-pickle', :data)"
    )
    connection.execute(
        insert,
        [
            {"hash": hash, "data": pickle_task(hash, name, namespace)}
            for hash, name, namespace in tasks
        ],
    )


def downgrade() -> None:
    pass  # the added rows are right at the older version too


def pickle_task(hash: str, name: str, namespace: str) -> bytes:
    """
    The pickle of a task that is known by name and hash alone.

    Written by hand, so that the migration stays what it was when `redun.task.Task` changes:
    protocol 3, an instance made without arguments, its state.
    """
    fullname = f"{namespace}.{name}" if namespace else name
    state: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "version": None,
        "hash": hash,
        "compat": [],
        "script": fullname in SCRIPT_TASKS,
        "task_options": {},
    }
    body = pickle.dumps(state, protocol=3)[2:-1]
    return b"\x80\x03credun.task\nTask\n)\x81" + body + b"b."
