"""Configuration files, in the format of `redun.ini`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from configparser import ConfigParser, ExtendedInterpolation, SectionProxy
from typing import Any

from redun.file import File, get_proto

__all__ = [
    "Config",
    "RedunConfigParser",
    "RedunExtendedInterpolation",
    "Section",
    "create_config_section",
]

# A section of options, or sections by the next part of their dotted names.
Section = SectionProxy | dict[str, Any]

CONFIG_DIR_ENV = "REDUN_CONFIG"


class Environment(Mapping[str, str]):
    """Options of a section, beneath the variables of the process environment."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = options

    def __getitem__(self, key: str) -> str:
        value = os.environ.get(key)
        return self._options[key] if value is None else value

    def __iter__(self) -> Any:
        yield from {**self._options, **os.environ}

    def __len__(self) -> int:
        return len({**self._options, **os.environ})


class RedunExtendedInterpolation(ExtendedInterpolation):
    """Interpolation of `${name}` and `${section:name}`, in which environment variables come first."""

    def before_get(self, parser: Any, section: str, option: str, value: str, defaults: Any) -> str:
        """Return the value of an option with its references replaced."""
        return super().before_get(parser, section, option, value, Environment(defaults))


class RedunConfigParser(ConfigParser):
    """The parser of the format: case-sensitive option names, `${name}` interpolation."""

    def __init__(self) -> None:
        super().__init__(interpolation=RedunExtendedInterpolation())

    def optionxform(self, optionstr: str) -> str:
        """Return the name of an option as it is written."""
        return optionstr


def create_config_section(config_dict: dict[str, Any] | None = None) -> SectionProxy:
    """Return a section that belongs to no file.

    Parameters
    ----------
    config_dict : its options; values become strings.
    """
    parser = RedunConfigParser()
    parser.read_dict({"section": config_dict or {}})
    return parser["section"]


class Config:
    """A configuration: sections of options, nested by the dots in their names.

    Parameters
    ----------
    config_dict : sections by dotted name, as `get_config_dict` returns them.
    configdir : directory of the configuration.

    Attributes
    ----------
    parser : the underlying parser.
    """

    def __init__(
        self, config_dict: dict[str, Any] | None = None, configdir: str | None = None
    ) -> None:
        self.parser = RedunConfigParser()
        self._sections: dict[str, Any] = {}
        self._configdir = configdir
        if config_dict:
            self.read_dict(config_dict)

    @property
    def configdir(self) -> str:
        """The directory given, else that of the last local file read, else the working directory."""
        return os.getcwd() if self._configdir is None else self._configdir

    def read_string(self, string: str) -> None:
        """Read configuration text, in addition to what is there.

        Raises `configparser.Error` for text that does not follow the format.
        """
        self.parser.read_string(string)
        self._sections = self._parse_sections(self.parser)

    def read_path(self, filename: str) -> None:
        """Read a file, a path or a URL.

        Raises `RedunFileNotFoundError` if it is missing, `configparser.Error` for wrong format.
        """
        self.read_string(str(File(filename).read()))
        if get_proto(filename) == "local":
            self._configdir = os.path.dirname(filename)

    def read_dict(self, config_dict: dict[str, Any]) -> None:
        """Read sections by dotted name, in addition to what is there."""
        self.parser.read_dict(config_dict)
        self._sections = self._parse_sections(self.parser)

    def _parse_sections(self, parser: ConfigParser) -> dict[str, Any]:
        """Return the sections of a parser, nested.

        A section within a section that has options itself is refused by the parser: `TypeError`.
        """
        nested: dict[str, Any] = {}
        for section in parser.sections():
            *path, last = section.split(".")
            node: Any = nested
            for part in path:
                if part not in node:
                    node[part] = {}
                node = node[part]
            node[last] = parser[section]
        return nested

    def get(self, key: str, default: Any = None) -> Any:
        """Return a section or nested sections; the default if there are none."""
        return self._sections.get(key, default)

    def __getitem__(self, section_name: str) -> Any:
        return self._sections[section_name]

    def __setitem__(self, section_name: str, section: Section) -> None:
        self._sections[section_name] = section

    def __contains__(self, section_name: str) -> bool:
        return section_name in self._sections

    def keys(self) -> Iterable[str]:
        """Return the names at the top level."""
        return self._sections.keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return the names at the top level with their sections."""
        return self._sections.items()

    def get_config_dict(self, replace_config_dir: str | None = None) -> dict[str, dict[str, str]]:
        """Return all options: `{dotted section: {option: value}}`, references replaced.

        Parameters
        ----------
        replace_config_dir : stands in the values wherever the configuration directory does, for use
            on another machine.

        Raises `configparser.InterpolationError` if a reference leads nowhere.
        """
        found = self._find_config_dir() if replace_config_dir is not None else None
        result: dict[str, dict[str, str]] = {}
        stack: list[tuple[str, Any]] = [*reversed(self._sections.items())]
        while stack:
            name, section = stack.pop()
            if isinstance(section, SectionProxy):
                options = dict(section.items())
                if found and replace_config_dir is not None:
                    options = {
                        key: value.replace(found, replace_config_dir)
                        for key, value in options.items()
                    }
                result[name] = options
            else:
                stack.extend((f"{name}.{key}", item) for key, item in reversed(section.items()))
        return result

    def _find_config_dir(self) -> str | None:
        """Return the configuration directory as it was found when the configuration was loaded."""
        backend = self._sections.get("backend")
        found = backend.get("config_dir") if isinstance(backend, SectionProxy) else None
        return found or os.environ.get(CONFIG_DIR_ENV) or self._configdir
