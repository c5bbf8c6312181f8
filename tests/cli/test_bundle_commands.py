"""`redun push` and `redun pull` with bundles: files, directories, object stores."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

WORKFLOW = """
@task()
def double(number: int) -> int:
    return 2 * number

@task()
def main(n: int = 3):
    return [double(number) for number in range(n)]
"""


@pytest.fixture
def repo(program, script, workdir: Path) -> Path:
    """A repo with one execution and an empty one, `other`; the value is the directory."""
    assert program("init").code == 0
    assert program("init", "other").code == 0
    script(WORKFLOW)
    assert program("run", "wf.py", "main", "--tag", "team=blue").code == 0
    return workdir


def lines(program, *options: str) -> list[str]:
    code, out, _ = program(*options, "export")
    assert code == 0
    return sorted(out.splitlines())


@pytest.fixture(params=["share/results.redun", "share/results/", "results.redun", "s3"])
def bundle(request) -> str:
    """The path or URL of a bundle that isn't there yet."""
    if request.param == "s3":
        return request.getfixturevalue("s3").url("team/prov/")
    return request.param


def test_share(program, repo: Path, bundle: str) -> None:
    everything = lines(program)
    code, out, _ = program("push", bundle)
    assert (code, out) == (0, f"Pushed {len(everything)} record(s) to repo '{bundle}'\n")
    assert program("push", bundle)[:2] == (0, f"Repo '{bundle}' is up to date.\n")
    assert lines(program, "--repo", bundle) == everything
    assert "wf.py main" in program("--repo", bundle, "log").out
    code, out, _ = program("-c", "other/.redun", "pull", bundle)
    assert (code, out) == (0, f"Pulled {len(everything)} new record(s) from repo '{bundle}'\n")
    assert lines(program, "-c", "other/.redun") == everything
    code, out, _ = program("-c", "other/.redun", "pull", bundle)
    assert out == f"Pulled 0 new record(s) from repo '{bundle}'\n"


def test_more_is_added(program, repo: Path, bundle: str) -> None:
    program("push", bundle)
    program("run", "wf.py", "main", "--n", "5")
    program("tag", "add", "-", "state=good")
    before = len(lines(program, "--repo", bundle))
    everything = lines(program)
    assert program("push", bundle).out.startswith(f"Pushed {len(everything) - before} record(s)")
    assert lines(program, "--repo", bundle) == everything
    assert program("-c", "other/.redun", "pull", bundle).code == 0
    assert lines(program, "-c", "other/.redun") == everything


def test_one_execution(program, repo: Path) -> None:
    program("run", "wf.py", "main", "--n", "5")
    first = program("log").out.splitlines()[-1].split()[1]
    assert program("push", "x.redun", first).code == 0
    assert program("--repo", "x.redun", "log").out.count("Exec ") == 1
    assert program("-c", "other/.redun", "pull", "x.redun", first[:6]).code == 0
    assert program("-c", "other/.redun", "log").out.count("Exec ") == 1


def test_dry_run_makes_nothing(program, repo: Path) -> None:
    count = len(lines(program))
    assert program("push", "--dry-run", "x.redun").out == (
        f"Would push {count} record(s) to repo 'x.redun'\n"
    )
    assert not Path("x.redun").exists()


def test_from_bundle_to_bundle(program, repo: Path) -> None:
    everything = lines(program)
    program("push", "x.redun")
    assert program("--repo", "x.redun", "push", "packed/").code == 0
    assert lines(program, "--repo", "packed/") == everything
    assert program("--repo", "y.redun", "pull", "packed/").code == 0
    assert lines(program, "--repo", "y.redun") == everything
    code, _, err = program("--repo", "x.redun", "push", "./x.redun")
    assert code == 1
    assert "Cannot push repo ./x.redun to itself" in err


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("x.redun", b"not a bundle at all", "`x.redun` is not a bundle"),
        ("x.redun", b"SQLite format 3\0" + bytes(5000), "`x.redun` is not a bundle"),
        ("d/x.redun", b"not a bundle at all", "x.redun` is not a bundle"),
    ],
)
def test_what_is_no_bundle(program, repo: Path, path: str, content: bytes, message: str) -> None:
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_bytes(content)
    name = path if path == "x.redun" else "d/"
    for words in (["push", name], ["pull", name], ["--repo", name, "export"]):
        code, out, err = program(*words)
        assert (code, out) == (1, "")
        assert message in err
        assert "Traceback" not in err
    assert Path(path).read_bytes() == content


def test_configuration_directory(program, repo: Path) -> None:
    for words in (["push", "other/.redun"], ["--repo", "other/.redun", "export"]):
        code, _, err = program(*words)
        assert code == 1
        assert "is the configuration directory of a repo, not a bundle" in err
        assert "hint: `redun repo add NAME other/.redun`" in err


def test_project_directory(program, repo: Path) -> None:
    before = os.listdir("other")
    for words in (["push", "other/"], ["pull", "./other"], ["--repo", "./other", "export"]):
        code, _, err = program(*words)
        assert code == 1
        assert "holds the configuration directory of a repo, not a bundle" in err
        assert "other/.redun` gives it a name" in err
    assert os.listdir("other") == before


def test_file_of_a_database(program, repo: Path) -> None:
    code, _, err = program("push", "other/.redun/redun.db")
    assert code == 1
    assert "redun.db` is not a bundle" in err
    assert "hint: it is a database" in err


def test_url_of_a_database(program, repo: Path) -> None:
    url = "sqlite:///other/.redun/redun.db"
    for words in (["push", url], ["pull", url], ["--repo", url, "export"]):
        code, _, err = program(*words)
        assert code == 1
        assert f"Unknown repository: {url}" in err
        assert "hint: a database is named by a directory" in err


def test_missing_bundle(program, repo: Path) -> None:
    code, out, err = program("pull", "none.redun")
    assert (code, out) == (1, "")
    assert "There is no bundle at none.redun" in err


def test_damaged_bundle(program, repo: Path) -> None:
    program("push", "x.redun")
    data = bytearray(Path("x.redun").read_bytes())
    data[len(data) // 2] ^= 0xFF
    Path("x.redun").write_bytes(data)
    code, out, err = program("-c", "other/.redun", "pull", "x.redun")
    assert (code, out) == (1, "")
    assert "the bundle `x.redun` is damaged: " in err
    assert lines(program, "-c", "other/.redun") == []


def test_forged_records_are_refused(program, repo: Path) -> None:
    records = [json.loads(line) for line in lines(program)]
    for record in records:
        if record["_type"] == "Tag" and record["value"] == "blue":
            record["value"] = "red"
    Path("x.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    program("--repo", "x.redun", "import", "--no-verify", "-f", "x.jsonl")
    code, _, err = program("-c", "other/.redun", "pull", "x.redun")
    assert code == 1
    assert "does not match its hash" in err
    assert program("-c", "other/.redun", "pull", "--no-verify", "x.redun").code == 0
