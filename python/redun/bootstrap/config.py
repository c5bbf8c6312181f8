"""Find, create and read the configuration of a repo."""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlparse

from redun.bootstrap.errors import RedunClientError
from redun.config import Config
from redun.errors import RedunError
from redun.scheduler_config import (
    DEFAULT_DB_URI,
    DEFAULT_REDUN_INI,
    DEFAULT_REPO_NAME,
    REDUN_CONFIG_DIR,
    REDUN_CONFIG_ENV,
    REDUN_INI_FILE,
    postprocess_config,
)

_REMOTE_DATABASE = (
    "put a redun.ini there whose `db_uri` is `postgresql://HOST/DATABASE`, or an absolute path: "
    "`sqlite:////DIRECTORY/redun.db`"
)


def find_config_dir(cwd: str | None = None) -> str | None:
    """The nearest entry named `.redun` in `cwd` (default: the working directory) or above it.

    Returns an absolute path, or `None`.
    """
    base = os.path.abspath(cwd or os.getcwd())
    while True:
        candidate = os.path.join(base, REDUN_CONFIG_DIR)
        if os.path.exists(candidate):
            return candidate
        parent = os.path.dirname(base)
        if parent == base:
            return None
        base = parent


def get_config_dir(config_dir: str | None = None) -> str:
    """The configuration directory: as given, `$REDUN_CONFIG`, found by search, or `.redun`."""
    return config_dir or os.environ.get(REDUN_CONFIG_ENV) or find_config_dir() or REDUN_CONFIG_DIR


def get_config_path(config_dir: str | None = None) -> str:
    """Path (or URL) of the `redun.ini` that `get_config_dir` leads to."""
    return os.path.join(get_config_dir(config_dir), REDUN_INI_FILE)


def setup_config(
    config_dir: str | None = None,
    db_uri: str | None = None,
    repo: str = DEFAULT_REPO_NAME,
    initialize: bool = True,
) -> Config:
    """Read the configuration of a repo.

    Parameters
    ----------
    config_dir
        Directory (path or URL) of `redun.ini`; searched for if absent.
    db_uri
        Database URI to write into a *new* `redun.ini`.
    repo
        Name of the repo; another than `default` is looked up in the sections `[repos.*]`, and the
        configuration in its directory is returned instead.
    initialize
        Whether a missing `redun.ini` is created.

    Raises
    ------
    RedunClientError
        If the configuration is missing (and may not be created), cannot be parsed, or does not
        know the repo.
    """
    config_dir = get_config_dir(config_dir)
    path = os.path.join(config_dir, REDUN_INI_FILE)
    if not path_exists(path):
        if not initialize:
            raise RedunClientError(
                f"No redun config found at {path}. Run `redun init -c {config_dir}` to create one."
            )
        if is_url(path) and db_uri is None:
            # What is written by default is a database beside the file, which only works on disk.
            raise RedunClientError(f"No redun config found at {path}", hints=[_REMOTE_DATABASE])
        _write_new_config(path, DEFAULT_REDUN_INI.format(db_uri=db_uri or DEFAULT_DB_URI))
    config = _read_config(config_dir, path)
    if repo == DEFAULT_REPO_NAME:
        return config
    return _read_repo_config(config, repo)


def is_config_local_db(config: Config) -> bool:
    """Whether the repo's database is a local SQLite file, which may be migrated unasked."""
    db_uri: str = config["backend"].get("db_uri", "")
    return db_uri.startswith("sqlite:///") and not config["backend"].get("db_aws_secret_name")


def check_database(config: Config) -> None:
    """Refuse a database that counts from a configuration directory which is not on this machine.

    Raises
    ------
    RedunClientError
        If a remote configuration names a relative SQLite file.
    """
    backend = config["backend"]
    config_dir, db_uri = backend.get("config_dir", ""), backend.get("db_uri", "")
    if is_url(config_dir) and db_uri.startswith(f"sqlite:///{config_dir}"):
        relative = db_uri.removeprefix(f"sqlite:///{config_dir}").lstrip("/")
        raise RedunClientError(
            f"the configuration `{os.path.join(config_dir, REDUN_INI_FILE)}` is remote, so its "
            f"database cannot be the relative path `sqlite:///{relative}`",
            hints=[_REMOTE_DATABASE],
        )


def _read_repo_config(config: Config, repo: str) -> Config:
    from difflib import get_close_matches

    repos = config.get("repos") or {}
    section = repos.get(repo)
    if not section:
        near = get_close_matches(repo, list(repos), n=1)
        hints = [f"did you mean `{near[0]}`?"] if near else []
        if "://" in repo:
            hints = [
                "a database is named by a directory: `redun --config DIR init`, set `db_uri` in "
                "DIR/redun.ini, `redun repo add NAME DIR`"
            ]
        raise RedunClientError(
            f"Unknown repository: {repo}",
            hints=[*hints, "known repositories: " + ", ".join(sorted(repos))],
        )
    config_dir = section.get("config_dir")
    if not config_dir:
        raise RedunClientError(
            f"config_dir is not specified for repository {repo}",
            hints=[f"add `config_dir = DIR` to the section [repos.{repo}]"],
        )
    path = os.path.join(config_dir, REDUN_INI_FILE)
    if not path_exists(path):
        raise RedunClientError(
            f"No redun config found at {path}, the directory of repository {repo}",
            hints=[f"correct `config_dir` in the section [repos.{repo}]"],
        )
    return _read_config(config_dir, path)


def _read_config(config_dir: str, path: str) -> Config:
    try:
        config = Config()
        config.read_path(path)
        return postprocess_config(config, config_dir)
    except configparser.Error as error:
        message, hints = explain_config_error(error, path)
        raise RedunClientError(message, hints=hints) from error
    except UnicodeDecodeError as error:
        raise RedunClientError(
            f"cannot read the configuration `{path}`: it is not UTF-8 text",
            hints=[f"the first bad byte is number {error.start}"],
        ) from error
    except TypeError as error:
        # The parser's way of refusing options beside sub-sections.
        raise RedunClientError(
            f"cannot use the configuration `{path}`: a section cannot hold options "
            "and sub-sections at once",
            hints=["rename one of two sections such as [a] and [a.b]"],
        ) from error
    except AssertionError as error:
        raise RedunClientError(
            f"{error}", hints=[f"see `federated_configs` in `{path}`"]
        ) from error


@contextmanager
def blaming_config(config: Config) -> Iterator[None]:
    """Turn errors about the values of a configuration into ones that name its file.

    Raises
    ------
    RedunClientError
        If the block, which builds something from the configuration, raises what a wrong value
        leads to.
    """
    path = os.path.join(config["backend"]["config_dir"], REDUN_INI_FILE)
    try:
        yield
    except RedunError as error:
        error.hints = error.hints or (f"correct the configuration `{path}`",)
        raise
    except configparser.Error as error:
        message, hints = explain_config_error(error, path)
        raise RedunClientError(message, hints=hints) from error
    except KeyError as error:
        raise RedunClientError(
            f"cannot use the configuration `{path}`: the option {error} is missing",
            hints=["add it to the section that needs it"],
        ) from error
    except (ValueError, OSError) as error:
        raise RedunClientError(
            f"cannot use the configuration `{path}`: {type(error).__name__}: {error}",
            hints=["correct the option that has this value"],
        ) from error


def explain_config_error(error: configparser.Error, path: str) -> tuple[str, list[str]]:
    """Message and hints for a configuration that cannot be parsed, naming file and line."""
    if isinstance(error, configparser.MissingSectionHeaderError):
        return _at_line(path, error.lineno, f"no section header before {error.line.strip()!r}"), [
            "options stand below a section such as [backend]"
        ]
    if isinstance(error, configparser.DuplicateSectionError):
        return _at_line(path, error.lineno, f"section [{error.section}] appears twice"), [
            "merge the two sections"
        ]
    if isinstance(error, configparser.DuplicateOptionError):
        what = f"option `{error.option}` appears twice in section [{error.section}]"
        return _at_line(path, error.lineno, what), ["remove one of them"]
    if isinstance(error, configparser.ParsingError) and error.errors:
        line_number, line = error.errors[0]
        return _at_line(path, line_number, f"cannot parse {line.strip()}"), [
            "write `option = value`; continuation lines are indented"
        ]
    if isinstance(error, configparser.InterpolationMissingOptionError):
        what = (
            f"option `{error.option}` in section [{error.section}] refers to "
            f"`{error.reference}`, which is not defined"
        )
        return f"cannot use the configuration `{path}`: {what}", [
            "set an environment variable of that name, or write `$${` for a literal `${`"
        ]
    reason = " ".join(str(error).split())
    return f"cannot use the configuration `{path}`: {reason}", []


def _at_line(path: str, line_number: int | None, what: str) -> str:
    line = f", line {line_number}" if line_number else ""
    return f"cannot read the configuration `{path}`{line}: {what}"


def is_url(path: str) -> bool:
    """Whether a directory or file is given by a URL rather than by a path."""
    return bool(urlparse(path).scheme)


def path_exists(path: str) -> bool:
    """Whether a path or a URL leads to something."""
    if not is_url(path):
        return os.path.exists(path)
    from redun.file import File

    return File(path).exists()


def _write_new_config(path: str, text: str) -> None:
    if is_url(path):
        from redun.file import File

        File(path).write(text)
        return
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # Another run may create the same file now: it must never be seen half written.
        draft = f"{path}.{os.getpid()}"
        with open(draft, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(draft, path)
    except OSError as error:
        raise RedunClientError(
            f"cannot create the configuration `{path}`: {error.strerror}",
            hints=[
                "choose a writable directory with `--config DIR` or the environment "
                "variable REDUN_CONFIG"
            ],
        ) from error
