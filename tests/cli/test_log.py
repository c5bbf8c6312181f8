"""`redun log` on a repo that the reference implementation wrote, and where ours does better."""

from __future__ import annotations

import datetime as dt
import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from redun.backends.db import RedunBackendDb
from redun.backends.db.query import RecordQuery
from redun.cli import RedunClient, RedunClientError
from redun.cli.show import Show

GOLDEN = Path(__file__).parents[1] / "golden" / "log"
CASES: dict[str, list[str]] = json.loads((GOLDEN / "cases.json").read_text())
FILES = ("a.txt", "c.txt", "in.txt")


@dataclass
class Printed:
    """What a command left on its streams."""

    stdout: str
    stderr: str


Log = Callable[..., Printed]


def in_utc(stored: Any) -> str:
    """A time as SQLite stores it."""
    if isinstance(stored, str):
        return stored
    return f"{stored.astimezone(dt.timezone.utc):%Y-%m-%d %H:%M:%S.%f}"


def use_timezone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TZ", name)
    time.tzset()
    from redun.cli.render import parts

    parts._local_second.cache_clear()


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC during the test."""
    with monkeypatch.context() as patch:
        use_timezone(patch, "UTC")
        yield
    time.tzset()


@pytest.fixture
def uri(repo_kind: str, request: pytest.FixtureRequest) -> str:
    """The URI of the recorded repo, a copy of it if the test uses `sql`."""
    own = "sql" in request.fixturenames
    found: str = request.getfixturevalue("own_recorded_repo" if own else "recorded_repo")
    return found


@pytest.fixture
def repo(workdir: Path, utc: None, uri: str) -> Path:
    """The current directory, with the recorded repo and some of its files."""
    config = workdir / ".redun"
    config.mkdir()
    (config / "redun.ini").write_text(f"[backend]\ndb_uri = {uri}\n")
    for name in FILES:
        (workdir / name).touch()
    return workdir


@pytest.fixture
def log(repo: Path, capsys: pytest.CaptureFixture[str]) -> Log:
    """Runs `redun log` in this process."""

    def run(*args: str) -> Printed:
        stdout, stderr = io.StringIO(), io.StringIO()
        try:
            RedunClient(stdout=stdout, stderr=stderr).execute(["redun", "log", *args])
        except SystemExit as error:
            stderr.write(f"exit {error.code}")
        return Printed(stdout.getvalue(), stderr.getvalue())

    return run


Sql = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def sql(uri: str, rows_of: Any) -> Sql:
    """Runs a statement on the repo."""
    return partial(rows_of, uri)


@pytest.mark.each_repo
@pytest.mark.parametrize("name", CASES)
def test_output_is_that_of_the_reference(log: Log, name: str) -> None:
    assert log(*CASES[name]).stdout == (GOLDEN / f"{name}.txt").read_text()


def test_every_golden_file_belongs_to_a_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(CASES)


def test_unknown_id_prints_no_data_and_a_hint(log: Log) -> None:
    printed = log("nosuchthing")

    assert printed.stdout == ""
    assert printed.stderr == "hint: nothing recorded matches `nosuchthing`\n"


def test_misspelled_task_is_told_what_it_may_be(log: Log) -> None:
    printed = log("pricee_all")

    assert printed.stdout == ""
    assert printed.stderr.splitlines()[1:] == ["hint: did you mean the task `price_all`?"]


def test_path_without_record_is_told(log: Log, repo: Path) -> None:
    (repo / "unknown.txt").touch()

    printed = log("unknown.txt")

    assert printed.stdout == ""
    assert "the path exists, but no job gave or took" in printed.stderr


def test_full_name_finds_a_task(log: Log) -> None:
    assert log("shop.inc") == log("inc")
    assert log("--exec", "shop.inc").stdout == ""


def test_ambiguous_prefix_shows_all_and_says_so(log: Log, sql: Sql) -> None:
    tables = ("job id", "call_node call_hash", "task hash", "value value_hash", "execution id")
    ids = {
        row[0]
        for table, column in map(str.split, tables)
        for row in sql(f"SELECT {column} FROM {table} WHERE {column} LIKE '0%'")
    }
    jobs = {record_id for record_id in ids if "-" in record_id}

    printed = log("0")
    note, hint = printed.stderr.splitlines()

    assert note.startswith(f"note: `0` is ambiguous: {len(ids)} records match ({len(jobs)} jobs, ")
    assert hint.startswith("hint: give more of the id, for example of Job 0")
    assert all(job in printed.stdout for job in jobs)
    assert json.loads(log("0", "--format", "json").stdout.splitlines()[0])["_type"] == "Job"


def test_task_and_its_value_are_one_record(log: Log) -> None:
    printed = log(CASES["task_by_hash"][0])

    assert "Task " in printed.stdout
    assert "Value " in printed.stdout
    assert printed.stderr == ""


def test_latest_of_an_empty_repo_is_nothing(log: Log, sql: Sql) -> None:
    sql("DELETE FROM job", check=False)
    sql("DELETE FROM execution", check=False)

    printed = log("-")

    assert printed.stdout == ""
    assert "nothing has run in this repo" in printed.stderr


def test_unknown_option_is_refused_with_usage_exit_code(log: Log) -> None:
    printed = log("--bogus")

    assert printed.stdout == ""
    assert "--bogus" in printed.stderr
    assert printed.stderr.endswith("exit 2")


@pytest.mark.parametrize(
    ("option", "choices"),
    [
        ("--exec-status", "RUNNING, FAILED, DONE"),
        ("--job-status", "RUNNING, FAILED, CACHED, DONE"),
    ],
)
def test_unknown_status_is_refused_and_the_known_ones_named(
    log: Log, option: str, choices: str
) -> None:
    printed = log(option, "DONE,BOGUS")

    assert printed.stdout == ""
    assert f"{option}: unknown status `BOGUS`" in printed.stderr
    assert f"hint: choose from {choices}" in printed.stderr
    assert printed.stderr.endswith("exit 2")


def test_malformed_tag_is_refused(log: Log) -> None:
    printed = log("--tag", "=1")

    assert "--tag: key must be specified" in printed.stderr
    assert printed.stderr.endswith("exit 2")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("~0", "Execution index should >= 1."),
        ("~99", "Execution index too high: 99"),
        ("~x", "Execution index must be a whole number: ~x"),
    ],
)
def test_execution_out_of_range_is_an_error_with_a_hint(
    log: Log, reference: str, message: str
) -> None:
    for words in ([reference], ["--exec-id", reference]):
        with pytest.raises(RedunClientError) as raised:
            log(*words)

        assert str(raised.value) == message
        assert raised.value.hints


@pytest.mark.parametrize(
    ("filters", "types"),
    [
        (["--job-status", "FAILED"], {"Job"}),
        (["--task-name", "inc"], {"Job", "Task"}),
        (["--value-type", "builtins.int"], {"Value"}),
        (["--file-path", "*.txt"], {"Value"}),
        (["--task-name", "inc", "--job-status", "DONE"], {"Job"}),
        (["--exec", "--job-status", "FAILED"], {"Exec", "Job"}),
    ],
)
def test_filter_without_type_flag_shows_what_it_is_about(
    log: Log, filters: list[str], types: set[str]
) -> None:
    lines = log(*filters).stdout.splitlines()

    assert {line.split()[0] for line in lines} == types


def test_empty_id_is_refused(log: Log) -> None:
    printed = log("-", "")

    assert printed.stdout == ""
    assert "error: an ID is empty\nhint: give an id" in printed.stderr
    assert printed.stderr.endswith("exit 2")


def test_text_that_no_database_holds_matches_nothing(log: Log) -> None:
    printed = log("\udcff\x00")

    assert printed.stdout == ""
    assert printed.stderr.startswith("hint: nothing recorded matches")
    assert log("--job", "--task-name", "\udcff", "--count").stdout == "       0 Job\n"


def test_filters_that_exclude_all_types_are_told(log: Log) -> None:
    printed = log("--exec", "--task-name", "inc")

    assert printed.stdout == ""
    assert printed.stderr == "note: no record of the types asked for can pass these filters\n"


def test_unknown_execution_filters_everything_away(log: Log) -> None:
    assert log("--job", "--exec-id", "nosuch").stdout == ""
    assert log("--exec-id", "nosuch").stdout == "Recent executions:\n\n"


def test_unknown_execution_among_known_ones_is_left_out(log: Log) -> None:
    printed = log("--job", "--exec-id", "nosuch,-")

    assert printed.stdout == log("--job", "--exec-id", "-").stdout
    assert printed.stderr == "note: no execution matches `nosuch`\n"


def test_files_that_match_nothing_print_nothing(log: Log) -> None:
    assert log("--file", "--file-path", "nosuch*") == Printed("", "")


def test_tag_without_value_is_found_by_null(log: Log) -> None:
    assert "none=null" in log("--value", "--tag", "none=").stdout


def test_several_ids_are_shown_one_after_the_other(log: Log) -> None:
    both = log("inc", "main").stdout

    assert both == log("inc").stdout + log("main").stdout


@pytest.mark.sqlite  # which compares letters of either case with LIKE
def test_upper_case_prefix_finds_a_hash(log: Log) -> None:
    call = CASES["call_node"][0]

    assert log(call[:10].upper()).stdout == log(call[:10]).stdout != ""


def test_variadic_arguments_have_names_in_the_dataflow(log: Log, sql: Sql) -> None:
    ((call,),) = sql("SELECT call_hash FROM call_node WHERE task_name = 'shop.rest'")

    shown = log(call).stdout

    assert "result <-- <" + call[:8] + "> rest(x)" in shown
    assert "    more   = <" in shown
    assert "    more_2 = <" in shown


def test_count_of_an_id_counts_its_matches(log: Log) -> None:
    assert log("inc", "--count").stdout.splitlines()[3] == "       1 Task"


def test_file_listing_as_json_gives_values(log: Log) -> None:
    records = [json.loads(line) for line in log("--file", "--format", "json").stdout.splitlines()]

    assert {record["_type"] for record in records} == {"Value"}
    assert {record["subtype"]["path"] for record in records} >= {"a.txt", "in.txt"}


def test_detail_as_json_keeps_call_order(log: Log, sql: Sql) -> None:
    query = (
        "SELECT child_id FROM call_edge JOIN call_node ON call_hash = parent_id "
        "WHERE task_name = 'shop.files' ORDER BY call_order"
    )
    order = [row[0] for row in sql(query)]
    call = sql("SELECT call_hash FROM call_node WHERE task_name = 'shop.files'")[0][0]

    record = json.loads(log(call, "--format", "json").stdout)

    assert record["children"] == order


def test_all_times_are_local(log: Log, sql: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    use_timezone(monkeypatch, "Asia/Tokyo")
    found = sql(
        "SELECT start_time FROM job JOIN task ON task.hash = task_hash WHERE name = 'inc' "
        "ORDER BY start_time"
    )
    stored = in_utc(found[0][0])
    hour = (int(stored[11:13]) + 9) % 24

    assert f"{hour:02}{stored[13:19]}:" in log("--job", "--task-name", "inc").stdout.split("\n")[-2]
    assert f" {hour:02}{stored[13:]}+09:00" in log("inc").stdout
    table = next(line for line in log("~5").stdout.splitlines() if "JOB STATUS" in line)
    assert table.split()[4].startswith(f"{hour:02}:")


def test_duration_over_a_day_counts_the_hours_on(log: Log, sql: Sql, repo_kind: str) -> None:
    job = CASES["done_job"][0]
    start = dt.datetime(2026, 1, 2, 3, 4, 5)
    end = start + dt.timedelta(hours=50, minutes=2)
    zone = "" if repo_kind == "sqlite" else "+00"
    times = [f"{time:%Y-%m-%d %H:%M:%S.%f}{zone}" for time in (start, end)]
    sql("UPDATE job SET start_time = ?, end_time = ? WHERE id = ?", *times, job)

    assert "Duration: 50:02:00.00" in log(job).stdout


def test_looking_runs_no_code_out_of_the_repo(
    log: Log, sql: Sql, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo / "shop.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(repo))
    watched = {"import": {"shop", "os"}, "os.system": None, "subprocess.Popen": None}
    seen: list[str] = []
    active = [True]

    def watch(event: str, args: tuple[object, ...]) -> None:
        if active[0] and event in watched:
            names = watched[event]
            if names is None or args[0] in names:
                seen.append(f"{event} {args[0]}")

    sys.addaudithook(watch)
    try:
        shown = log("--all", "--detail").stdout
    finally:
        active[0] = False

    assert seen == []
    assert "shop" not in sys.modules
    assert "Box(size=3, label='x')" in shown
    assert "\ngetpid()\n" in shown


def test_deep_tree_of_jobs_is_shown(log: Log, sql: Sql) -> None:
    task = sql("SELECT hash FROM task WHERE name = 'inc'")[0][0]
    depth = 3000
    columns = "id, start_time, end_time, task_hash, cached, parent_id, execution_id"
    sql(
        f"INSERT INTO job ({columns}) WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL "
        "SELECT i + 1 FROM n WHERE i + 1 < ?) SELECT 'job-' || i, '2030-01-01 00:00:00.000000', "
        "'2030-01-01 00:00:00.000000', ?, FALSE, "
        "CASE WHEN i > 0 THEN 'job-' || (i - 1) END, 'deep' FROM n",
        depth,
        task,
        check=False,
    )
    sql("INSERT INTO execution (id, args, job_id) VALUES ('deep', '[\"redun\", \"run\"]', 'job-0')")

    lines = log("deep").stdout.splitlines()

    assert len([line for line in lines if line.lstrip().startswith("Job ")]) == depth
    assert f"Jobs: {depth} (DONE: {depth}, CACHED: 0, FAILED: 0)" in lines
    assert f"({depth - 2} Jobs)" in log(f"job-{depth - 1}").stdout


def test_listing_jobs_takes_a_fixed_number_of_statements(
    uri: str, counting_source: Callable[[Any], Any]
) -> None:
    with closing(RedunBackendDb(uri)) as backend:
        backend.load(migrate=False)
        counts = []
        for number in (1, 10, 37):
            source = counting_source(backend.source)
            show = Show(SimpleNamespace(source=source))
            jobs = RecordQuery(backend.source).filter_types(["Job"]).limit(number)
            shown = [line for name, ids in jobs.ids() for line in show.lines(name, ids)]
            assert len(shown) == number
            counts.append(source.statements)

    assert counts == [4, 4, 4]
