"""Repos on SQLite that can be read but not written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from redun.backends.db import RedunBackendDb

pytestmark = pytest.mark.sqlite

READER = """
import sys
from redun.backends.db import RedunBackendDb, Value
backend = RedunBackendDb(sys.argv[1])
backend.load(migrate=False)
print(backend.session.query(Value).count(), backend.get_value(sys.argv[2]))
try:
    backend.record_value("another")
except Exception as error:
    print(type(error).__name__, error.orig)
"""


@pytest.fixture
def frozen(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Runs a shell command for which the directory of the repo is read-only."""
    prefix = ["sh", "-c"]
    if os.geteuid() == 0:
        # Permissions don't stop the superuser; a file system that is mounted read-only does.
        mount = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,ro,bind {tmp_path}"
        prefix = ["unshare", "--mount", "sh", "-c"]
        if not shutil.which("unshare") or subprocess.run([*prefix, mount], check=False).returncode:
            pytest.skip("nothing can be made read-only here")

    def run(command: str) -> subprocess.CompletedProcess[str]:
        if os.geteuid() == 0:
            command = f"{mount} && {command}"
        else:
            tmp_path.chmod(0o555)
        try:
            return subprocess.run([*prefix, command], text=True, capture_output=True, check=False)
        finally:
            tmp_path.chmod(0o755)

    return run


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
@pytest.mark.parametrize("crashed", [False, True])
def test_repo_that_cannot_be_written_is_read(
    db_path: Path, sql, frozen, journal: str, crashed: bool
) -> None:
    backend = RedunBackendDb(f"sqlite:///{db_path}")
    backend.load()
    value_hash = backend.record_value("old")
    backend.close()
    sql(f"PRAGMA journal_mode={journal}")
    (db_path.parent / "read.py").write_text(READER)
    if crashed:
        (db_path.parent / "redun.db-wal").touch()
    done = frozen(f"{sys.executable} {db_path.parent}/read.py sqlite:///{db_path} {value_hash}")
    assert done.stdout.splitlines() == [
        "1 ('old', True)",
        "OperationalError attempt to write a readonly database",
    ], done.stderr
    assert "retrying" not in done.stderr


def test_log_of_a_repo_that_cannot_be_written(cli, workdir: Path, frozen) -> None:
    (workdir / "wf.py").write_text(
        "from redun import task\nredun_namespace = 'n'\n@task()\ndef main(): return 7\n"
    )
    assert cli("run", "wf.py", "main").code == 0
    redun = Path(sys.executable).parent / "redun"
    log = frozen(f"cd {workdir} && {redun} log")
    assert "run wf.py main" in log.stdout
    run = frozen(f"cd {workdir} && {redun} run wf.py main --no-cache")
    assert run.returncode == 1
    assert "attempt to write a readonly database" in run.stderr
    assert "hint: the database file and its directory must be writable" in run.stderr
