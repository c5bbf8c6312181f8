"""Errors: the root of the tree, and those of files."""

import pickle
import pickletools

import pytest

from redun.errors import CoreError, CycleError, RedunError, SchemeError, error_hints
from redun.file import (
    RedunFileNotFoundError,
    RedunOSError,
    RedunPermissionError,
    UnknownProtocolError,
)


def test_hints() -> None:
    assert RedunError("bad").hints == ()
    error = RedunError("bad", hints=["do this"])
    assert str(error) == "bad"
    assert error_hints(error) == error.hints == ("do this",)
    assert error_hints(KeyError()) == ()


def test_pickle_without_hints_is_that_of_a_plain_exception() -> None:
    assert RedunError("bad").__dict__ == {}
    assert pickle.loads(pickle.dumps(RedunError("bad", hints=["do"]))).hints == ("do",)


def test_core_errors_have_one_root() -> None:
    assert issubclass(CycleError, CoreError)
    assert issubclass(SchemeError, CoreError)


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        (RedunFileNotFoundError, FileNotFoundError),
        (RedunPermissionError, PermissionError),
        (RedunOSError, OSError),
    ],
)
def test_file_errors(cls: type[RedunOSError], builtin: type[OSError]) -> None:
    error = cls("some/path", 5, "Some reason")
    assert isinstance(error, builtin)
    assert isinstance(error, RedunError)
    assert (error.path, error.errno, error.filename) == ("some/path", 5, None)
    assert str(error) == "[Errno 5] Some reason. some/path"
    data = pickle.dumps(error, protocol=3)
    opcodes = [(op.name, arg) for op, arg, _ in pickletools.genops(data)]
    assert opcodes[1] == ("GLOBAL", f"redun.file {cls.__name__}")
    loaded = pickle.loads(data)
    assert (loaded.path, loaded.errno, str(loaded)) == ("some/path", 5, str(error))


def test_unknown_protocol_round_trip() -> None:
    error = UnknownProtocolError("s3", ("local",))
    assert str(error) == "no file system for protocol 's3' (supported: local)"
    loaded = pickle.loads(pickle.dumps(error))
    assert (loaded.args, str(loaded)) == (error.args, str(error))
