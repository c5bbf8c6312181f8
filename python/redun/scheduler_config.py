"""Names, defaults and post-processing of the scheduler's configuration.

The rules are those of the `redun.ini` format: relative database and context paths count from the
configuration directory, every configuration describes itself as the repo `default`, and other
configurations can lend their executors and federated tasks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from redun.config import Config, create_config_section

if TYPE_CHECKING:
    from configparser import SectionProxy

REDUN_CONFIG_ENV = "REDUN_CONFIG"
REDUN_USER_ENV = "REDUN_USER"
REDUN_CONFIG_DIR = ".redun"
REDUN_INI_FILE = "redun.ini"
DEFAULT_REPO_NAME = "default"
DEFAULT_DB_URI = "sqlite:///redun.db"
DEFAULT_POSTGRESQL_PORT = 5432
DEFAULT_REDUN_INI = """\
# redun configuration.

[backend]
db_uri = {db_uri}

[executors.default]
type = local
max_workers = 20

# [executors.batch]
# type = aws_batch
#
# # Required:
# image =
# queue =
# s3_scratch =
#
# # Optional:
# aws_region =
# role =
# debug = False
"""

# Written into redun.ini by early versions, when the path still counted from the working directory.
_LEGACY_DB_URI = "sqlite:///.redun/redun.db"


def get_abs_config_dir(config_dir: str, cwd: str | None = None) -> str:
    """Make a configuration directory absolute; a URL such as `s3://bucket/dir` stays as it is.

    Parameters
    ----------
    config_dir
        Directory path, absolute or relative to `cwd`.
    cwd
        Base directory; the working directory by default.
    """
    if urlparse(config_dir).scheme:
        return config_dir
    return os.path.normpath(os.path.join(cwd or os.getcwd(), config_dir))


def get_abs_url(uri: str, base: str) -> str:
    """Join the path of a URL such as `sqlite:///redun.db` to the directory `base`.

    A URL with a host, without a path, or with an absolute path (four slashes) is returned
    unchanged.
    """
    parts = urlparse(uri)
    path = parts.path.removeprefix("/")
    if parts.netloc or not path or path.startswith("/"):
        return uri
    # Not urlunparse: how many slashes it writes for an empty host depends on the Python version.
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}:///{os.path.join(base, path)}{query}"


def get_abs_db_uri(db_uri: str, config_dir: str, cwd: str | None = None) -> str:
    """Make the URI of a database file absolute; those of servers and of memory stay as they are.

    Parameters
    ----------
    db_uri
        For example `sqlite:///redun.db`, a file in the configuration directory.
    config_dir
        Configuration directory, absolute or relative to `cwd`.
    cwd
        Base directory; the working directory by default.
    """
    scheme, _, path = db_uri.partition(":")
    if not scheme.startswith("sqlite") or path.partition("?")[0] == "///:memory:":
        return db_uri
    return get_abs_url(db_uri, get_abs_config_dir(config_dir, cwd))


def read_config_dir(config_dir: str) -> Config:
    """Read and complete the configuration in a directory, a path or a URL.

    Raises `RedunFileNotFoundError` if there is none, `configparser.Error` for a wrong format.
    """
    config = Config()
    config.read_path(os.path.join(config_dir, REDUN_INI_FILE))
    return postprocess_config(config, config_dir)


def postprocess_config(config: Config, config_dir: str) -> Config:
    """Complete a configuration that was read from `config_dir`, in place.

    Parameters
    ----------
    config
        What `redun.ini` says.
    config_dir
        The directory of that file, as found.

    Returns
    -------
    Config
        The same object.

    Raises
    ------
    AssertionError
        If a federated configuration defines an executor or federated task that exists already.
    """
    abs_config_dir = get_abs_config_dir(config_dir)
    _subsections(config, "repos")[DEFAULT_REPO_NAME] = create_config_section(
        {"config_dir": _literal(config_dir)}
    )
    _subsections(config, "executors")
    _subsections(config, "federated_tasks")

    backend = _section(config, "backend")
    db_uri = backend.get("db_uri") or DEFAULT_DB_URI
    if db_uri == _LEGACY_DB_URI:
        db_uri = DEFAULT_DB_URI
    backend["db_uri"] = _literal(get_abs_db_uri(db_uri, config_dir))
    backend["config_dir"] = _literal(config_dir)

    scheduler = _section(config, "scheduler")
    context_file = scheduler.get("context_file")
    if context_file and not urlparse(context_file).scheme:
        scheduler["context_file"] = _literal(os.path.join(abs_config_dir, context_file))
    _import_federated_configs(config, scheduler.get("federated_configs") or "")
    return config


def _literal(text: str) -> str:
    """Protect a text from interpolation: paths may hold dollar signs."""
    return text.replace("$", "$$")


def _section(config: Config, name: str) -> SectionProxy:
    if config.get(name) is None:
        config[name] = create_config_section()
    section: SectionProxy = config[name]
    return section


def _subsections(config: Config, name: str) -> dict[str, Any]:
    if config.get(name) is None:
        config[name] = {}
    sections: dict[str, Any] = config[name]
    return sections


def _import_federated_configs(config: Config, config_dirs: str) -> None:
    for config_dir in filter(None, map(str.strip, config_dirs.splitlines())):
        imported = Config()
        imported.read_path(os.path.join(config_dir, REDUN_INI_FILE))
        for kind, label in [("executors", "executor"), ("federated_tasks", "federated_task")]:
            sections = _subsections(config, kind)
            for name, section in _items(imported.get(kind)):
                assert name not in sections, f"Imported {label} name `{name}` is a duplicate."
                sections[name] = section


def _items(sections: Any) -> Iterator[tuple[str, Any]]:
    yield from (sections or {}).items()
