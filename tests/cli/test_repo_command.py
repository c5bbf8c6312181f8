"""`redun repo` and `--repo`: naming other repos and running commands in them."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def repo(program, workdir: Path) -> Path:
    """A new repo beside another one, in `other`; the value is the path of its redun.ini."""
    assert program("init").code == 0
    assert program("init", "other").code == 0
    return workdir / ".redun" / "redun.ini"


def test_add_and_list(program, repo: Path, workdir: Path) -> None:
    before = repo.read_text()
    assert program("repo", "add", "prod", "other/.redun") == (0, "", "")
    assert repo.read_text() == before + f"\n[repos.prod]\nconfig_dir = {workdir}/other/.redun\n"
    assert program("repo", "list") == (
        0,
        f"Repositories:\n  default: {workdir}/.redun\n  prod: {workdir}/other/.redun\n",
        "",
    )


def test_comments_and_a_missing_last_newline_survive(program, repo: Path) -> None:
    repo.write_text("# mine\n[backend]\n# here\ndb_uri = sqlite:///redun.db")
    assert program("repo", "add", "prod", "other/.redun").code == 0
    text = repo.read_text()
    assert text.startswith("# mine\n[backend]\n# here\ndb_uri = sqlite:///redun.db\n[repos.prod]\n")
    assert program("--repo", "prod", "log").code == 0


def test_directory_with_a_dollar_sign(program, repo: Path, workdir: Path) -> None:
    assert program("init", "a$b").code == 0
    assert program("repo", "add", "money", "a$b/.redun").code == 0
    assert f"  money: {workdir}/a$b/.redun\n" in program("repo", "list").out
    assert program("--repo", "money", "log").code == 0


def test_same_directory_twice_is_noted(program, repo: Path, workdir: Path) -> None:
    program("repo", "add", "one", "other/.redun")
    code, out, err = program("repo", "add", "two", "other/../other/.redun/")
    assert (code, err) == (0, "")
    assert out == f"Existing repository 'one' also uses config at {workdir}/other/.redun\n"
    assert "  two: " in program("repo", "list").out


@pytest.mark.parametrize(
    ("name", "directory", "message"),
    [
        ("default", "other/.redun", "Repositories may not be named 'default'"),
        ("here", "other/.redun", "Repository 'here' already configured"),
        ("new", "nowhere", "/nowhere/redun.ini not found"),
        ("a.b", "other/.redun", "Repositories may not be named 'a.b'"),
        ("a]b", "other/.redun", "Repositories may not be named 'a]b'"),
        ("a/b", "other/.redun", "Repositories may not be named 'a/b'"),
        ("a b", "other/.redun", "Repositories may not be named 'a b'"),
        ("", "other/.redun", "Repositories may not be named ''"),
        ("new", "other/.redun\n[backend]", "cannot be in the directory"),
    ],
)
def test_what_cannot_be_added(program, repo: Path, name, directory, message) -> None:
    program("repo", "add", "here", "other/.redun")
    before = repo.read_text()
    code, out, err = program("repo", "add", name, directory)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert message in err
    assert repo.read_text() == before


def test_remove_says_what_to_edit(program, repo: Path) -> None:
    program("repo", "add", "prod", "other/.redun")
    before = repo.read_text()
    assert program("repo", "remove", "prod") == (
        1,
        "",
        f"error: Please manually edit your config file '{repo}' to remove the section "
        "titled [repos.prod]\n",
    )
    assert repo.read_text() == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "Repository 'none' is not in the config"),
        ("default", "Repository 'default' cannot be removed"),
    ],
)
def test_remove_what_is_not_there(program, repo: Path, name: str, message: str) -> None:
    code, out, err = program("repo", "remove", name)
    assert (code, out) == (1, "")
    assert message in err


def test_section_without_directory(program, repo: Path) -> None:
    repo.write_text("[repos.bad]\nother = 1\n")
    code, out, err = program("repo", "list")
    assert (code, out) == (1, "")
    assert "Malformed config: config_dir not specified for repository bad" in err
    code, _, err = program("--repo", "bad", "log")
    assert code == 1
    assert "config_dir is not specified for repository bad" in err


def test_commands_run_in_the_named_repo(program, repo: Path, script) -> None:
    script("@task()\ndef main(x: int = 1):\n    return x\n")
    program("repo", "add", "prod", "other/.redun")
    assert program("-r", "prod", "run", "wf.py", "main").out == "1\n"
    assert "wf.py main" in program("--repo", "prod", "log").out
    assert "wf.py main" not in program("log").out
    assert "default: " in program("--repo", "prod", "repo", "list").out
    assert "prod: " not in program("--repo", "prod", "repo", "list").out


def test_unknown_repo(program, repo: Path) -> None:
    program("repo", "add", "production", "other/.redun")
    code, out, err = program("--repo", "prodcution", "log")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "error: Unknown repository: prodcution",
        "hint: did you mean `production`?",
        "hint: known repositories: default, production",
    ]


def test_repo_whose_directory_has_gone(program, repo: Path, workdir: Path) -> None:
    program("repo", "add", "prod", "other/.redun")
    (workdir / "other" / ".redun" / "redun.ini").unlink()
    code, _, err = program("--repo", "prod", "log")
    assert code == 1
    assert f"No redun config found at {workdir}/other/.redun/redun.ini" in err
    assert not (workdir / "other" / ".redun" / "redun.ini").exists()


def test_help_without_subcommand(program) -> None:
    code, out, _ = program("repo")
    assert code == 0
    assert all(word in out for word in ("add", "list", "remove"))


def test_repos_on_s3(program, repo: Path, workdir: Path, s3, script) -> None:
    ini = f"[backend]\ndb_uri = sqlite:///{workdir}/shared.db\n"
    s3.client.put_object(Bucket=s3.bucket, Key="team/redun.ini", Body=ini.encode())
    directory = s3.url("team")
    assert program("repo", "add", "team", directory) == (0, "", "")
    assert f"  team: {directory}\n" in program("repo", "list").out
    script("@task()\ndef main(x: int = 1):\n    return x\n")
    assert program("--repo", "team", "run", "wf.py", "main").out == "1\n"
    assert "wf.py main" in program("--config", directory, "log").out
    assert "wf.py main" not in program("log").out
    assert program("-c", directory, "repo", "add", "local", "other/.redun").code == 0
    body = s3.client.get_object(Bucket=s3.bucket, Key="team/redun.ini")["Body"].read().decode()
    assert body == f"{ini}\n[repos.local]\nconfig_dir = {workdir}/other/.redun\n"


@pytest.mark.parametrize("ini", ["", "[backend]\ndb_uri = sqlite:///redun.db\n"])
def test_remote_configuration_with_a_relative_database(
    program, repo: Path, script, s3, ini
) -> None:
    script("@task()\ndef main(x: int = 1):\n    return x\n")
    s3.client.put_object(Bucket=s3.bucket, Key="team/redun.ini", Body=ini.encode())
    assert program("repo", "add", "team", s3.url("team")).code == 0
    for words in (["log"], ["run", "wf.py", "main"], ["db", "info"]):
        code, out, err = program("--repo", "team", *words)
        assert (code, out) == (1, "")
        assert (
            f"error: the configuration `{s3.url('team')}/redun.ini` is remote, so its database "
            "cannot be the relative path `sqlite:///redun.db`\n"
        ) in err
        assert "hint: put a redun.ini there whose `db_uri` is `postgresql://" in err


def test_remote_configuration_that_is_missing(program, repo: Path, s3, monkeypatch) -> None:
    code, _, err = program("repo", "add", "team", s3.url("none"))
    assert code == 1
    assert f"Config file {s3.url('none')}/redun.ini not found" in err
    code, _, err = program("--config", s3.url("none"), "log")
    assert code == 1
    assert f"No redun config found at {s3.url('none')}/redun.ini" in err
    monkeypatch.setenv("REDUN_CONFIG", s3.url("none"))
    code, _, err = program("init")
    assert code == 1
    assert "hint: put a redun.ini there" in err
    assert s3.client.list_objects_v2(Bucket=s3.bucket)["KeyCount"] == 0
