"""Proxies of built-in types: how they are hashed and parsed."""

from __future__ import annotations

import datetime
from enum import Enum
from typing import Any

from redun.hashing import get_scheme, hash_tag_bytes
from redun.utils.pickling import pickle_dumps
from redun.utils.text import str2bool
from redun.value.base import ProxyValue


class Bool(ProxyValue):
    """Parses `true` and `false`, whatever the case."""

    __module__ = "redun.value"

    type = bool
    type_name = "builtins.bool"
    stock = True

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> bool:
        try:
            return str2bool(arg)
        except ValueError:
            raise ValueError(f'Unknown bool "{arg.lower()}"') from None


class Set(ProxyValue):
    """Hashes sets independently of their order."""

    __module__ = "redun.value"

    type = set
    type_name = "builtins.set"
    stock = True

    def get_hash(self, data: bytes | None = None) -> str:
        if get_scheme() == "redun1":
            return hash_tag_bytes("Value.set", pickle_dumps(sorted(self.instance)))
        return super().get_hash(data)


class EnumType(ProxyValue):
    """Parses the name of a member, with or without the name of the class."""

    __module__ = "redun.value"

    type = Enum
    type_name = "enum.Enum"

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> Enum:
        name = arg.rpartition(".")[2]
        try:
            return raw_type[name]
        except KeyError:
            raise ValueError(f"{name} is not a valid {raw_type.__name__}") from None


class DatetimeType(ProxyValue):
    """Parses dates and times leniently."""

    __module__ = "redun.value"

    type = datetime.datetime
    type_name = "datetime.datetime"

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> datetime.datetime:
        from dateutil.parser import parse

        return parse(arg)
