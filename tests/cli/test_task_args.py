"""The options of a task: every annotation, wrong values, names that are nearly right."""

# The old spellings of annotations are read like the new ones.
# ruff: noqa: UP006, UP007, UP035, UP037, UP045

from __future__ import annotations

import datetime
import enum
import pathlib
from collections.abc import Callable
from typing import Annotated, Any, Dict, List, Literal, NewType, Optional, Set, Tuple, Union

import pytest

from redun import Dir, File, task
from redun.bootstrap.arguments import arg_name2cli_name
from redun.bootstrap.errors import UsageError
from redun.cli.taskargs import get_task_arg_parser, parse_task_call
from redun.file import (
    ContentDir,
    ContentFile,
    ContentFileSet,
    FileSet,
    IDir,
    IFile,
    IFileSet,
    StagingFile,
)


class Color(enum.Enum):
    red = 1
    blue = 2


class Plain:
    """A class of the user's, made from text."""

    def __init__(self, text: str):
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and other.text == self.text


UserId = NewType("UserId", int)


def read(annotation: Any, *words: str) -> Any:
    """What a task parameter ``x`` with an annotation receives for ``--x words``."""

    def func(x):  # type: ignore[no-untyped-def]
        return x

    func.__annotations__["x"] = annotation
    return parse_task_call(task(name="func")(func), ["--x", *words]).kwargs["x"]


def stable_id(value: object) -> str:
    """The name of a case, the same in every process."""
    return str(value).split(" at 0x")[0]


@pytest.mark.parametrize(
    ("annotation", "words", "expected"),
    [
        (str, ["text"], "text"),
        (int, ["3"], 3),
        (int, ["-3"], -3),
        (float, ["1e3"], 1000.0),
        (complex, ["1+2j"], 1 + 2j),
        (bytes, ["text"], b"text"),
        (pathlib.Path, ["a/b"], pathlib.Path("a/b")),
        (bool, ["true"], True),
        (bool, ["False"], False),
        (Color, ["red"], Color.red),
        (Color, ["Color.blue"], Color.blue),
        (Plain, ["text"], Plain("text")),
        (UserId, ["7"], 7),
        (Annotated[int, "meters"], ["7"], 7),
        (Any, ["7"], "7"),
        (object, ["7"], "7"),
        (datetime.datetime, ["2020-01-02 03:04"], datetime.datetime(2020, 1, 2, 3, 4)),
        (Callable[[str], str], ["os.path.join"], __import__("os").path.join),
        (Literal["a", 1], ["a"], "a"),
        (Literal["a", 1], ["1"], 1),
        # Several words.
        (List[int], ["1", "2"], [1, 2]),
        (list[float], ["1"], [1.0]),
        (List, ["a", "b"], ["a", "b"]),
        (list, ["ab", "c"], ["ab", "c"]),
        (tuple, ["a", "b"], ("a", "b")),
        (tuple[int, ...], ["1", "2"], (1, 2)),
        (Tuple[int, str], ["1", "a"], (1, "a")),
        (set[int], ["1", "1", "2"], {1, 2}),
        (Set[str], ["a"], {"a"}),
        (frozenset, ["a"], frozenset(["a"])),
        (list[Color], ["red", "Color.blue"], [Color.red, Color.blue]),
        # Optional and other unions.
        (Optional[int], ["3"], 3),
        (int | None, ["None"], None),
        (None | int, ["3"], 3),
        (Optional[str], ["None"], "None"),
        (Optional[list[int]], ["1", "2"], [1, 2]),
        (list[int] | None, ["1"], [1]),
        (Union[int, str], ["3"], 3),
        (str | int, ["3"], 3),
        (int | str, ["three"], "three"),
        (int | float | None, ["None"], None),
        # JSON.
        (dict, ['{"a": [1]}'], {"a": [1]}),
        (Dict[str, int], ['{"a": 1}'], {"a": 1}),
        (dict[int, float], ['{"1": 2}'], {1: 2.0}),
        (dict[str, Color], ['{"a": "red"}'], {"a": Color.red}),
        (dict[str, Optional[list[int]]], ['{"a": [1], "b": null}'], {"a": [1], "b": None}),
        (dict[str, int | str], ['{"a": 1, "b": "x"}'], {"a": 1, "b": "x"}),
        (list[list[int]], ["[1, 2]", "[]"], [[1, 2], []]),
        (dict[str, tuple[int, str]], ['{"a": [1, "x"]}'], {"a": (1, "x")}),
    ],
    ids=stable_id,
)
def test_annotation(annotation: Any, words: list[str], expected: Any) -> None:
    value = read(annotation, *words)
    assert value == expected
    assert type(value) is type(expected)


def test_no_annotation_reads_text() -> None:
    @task()
    def func(x):
        return x

    assert parse_task_call(func, ["--x", "3"]).kwargs == {"x": "3"}


def test_string_annotations_are_evaluated() -> None:
    @task()
    def func(x: "int", y: "list[Color]"):
        return x

    call = parse_task_call(func, ["--x", "3", "--y", "red"])
    assert call.kwargs == {"x": 3, "y": [Color.red]}


@pytest.mark.parametrize("value_type", [File, Dir, IFile, IDir, ContentFile, ContentDir])
def test_values_are_made_from_their_path(value_type: Any) -> None:
    value = read(value_type, "some/path")
    assert type(value) is value_type
    assert value.path == "some/path"
    assert read(value_type | None, "some/path").path == "some/path"
    several = read(list[value_type], "it's one", "-", "s3://bucket/three")
    assert [type(value) for value in several] == [value_type] * 3
    assert [value.path for value in several] == ["it's one", "-", "s3://bucket/three"]


@pytest.mark.parametrize("value_type", [FileSet, IFileSet, ContentFileSet])
def test_sets_of_files_are_made_from_their_pattern(value_type: Any) -> None:
    value = read(value_type, "some/**/*.txt")
    assert type(value) is value_type
    assert value.pattern == "some/**/*.txt"


@pytest.mark.parametrize(
    ("annotation", "words", "message"),
    [
        (int, ["three"], "argument --x: invalid int value: 'three'"),
        (bool, ["yes"], "argument --x: invalid bool value: 'yes'"),
        (Color, ["green"], "argument --x: invalid Color value: 'green' .*choose from red, blue"),
        (Literal["a"], ["b"], "argument --x: invalid Literal value: 'b'"),
        (List[int], ["1", "b"], "argument --x: invalid int value: 'b'"),
        (List[int], [], "argument --x: expected at least one argument"),
        (int, [], "argument --x: expected one argument"),
        (dict, ["{"], "argument --x: invalid dict value: '{'"),
        (dict[str, int], ['{"a": "b"}'], "argument --x: invalid dict"),
        (dict, ["[1]"], "expected a JSON object"),
        (int | float, ["x"], "argument --x: invalid int . float value: 'x'"),
        (datetime.datetime, ["nonsense"], "argument --x: invalid datetime value: 'nonsense'"),
        (Callable, ["nodots"], "argument --x: invalid .*Callable value: 'nodots'"),
        (tuple[int, int], ["1", "b"], "argument --x: invalid tuple"),
        ("NoSuchName", ["1"], "argument --x: invalid NoSuchName value"),
        (File, ["nofs://x"], "argument --x: invalid File value: 'nofs://x'"),
        (Dir, [""], "argument --x: invalid Dir value: ''"),
        (StagingFile, ["x"], "argument --x: invalid StagingFile value: 'x'"),
    ],
    ids=stable_id,
)
def test_wrong_value_is_a_usage_error(annotation: Any, words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read(annotation, *words)
    assert caught.value.exit_code == 2
    assert any("help` lists the options" in hint for hint in caught.value.hints)


@task(namespace="demo")
def sample(a_int: int, B: str = "b", b: int = 0, *args: int, help: str = "", **more: float):
    """Sample task.

    Uses 100% of
      its docstring.
    """
    return a_int


def test_names_are_lower_case_with_dashes() -> None:
    assert arg_name2cli_name("My_Arg") == "--my-arg"
    assert parse_task_call(sample, ["--a-int", "3"]).kwargs == {"a_int": 3}


def test_unique_prefix_is_enough() -> None:
    assert parse_task_call(sample, ["--a-i", "3"]).kwargs == {"a_int": 3}


def test_names_that_differ_in_case_only_are_both_reachable() -> None:
    call = parse_task_call(sample, ["--B", "x", "--b", "1"])
    assert call.kwargs == {"B": "x", "b": 1}


def test_a_parameter_may_be_called_help() -> None:
    assert parse_task_call(sample, ["--help", "me"]).kwargs == {"help": "me"}


def test_omitted_options_are_left_to_python() -> None:
    call = parse_task_call(sample, [])
    assert (call.args, call.kwargs, call.command) == ((), {}, None)


def test_variable_arguments() -> None:
    call = parse_task_call(
        sample, ["--a-int", "1", "--args", "5", "6", "--more", "x=1.5", "--help", "h"]
    )
    assert call.args == (1, "b", 0, 5, 6)
    assert call.kwargs == {"x": 1.5, "help": "h"}


def test_positional_only_parameters_go_by_position() -> None:
    @task()
    def func(a: int, b: int = 2, c: int = 3, /, d: int = 4):
        return a

    call = parse_task_call(func, ["--b", "5", "--a", "1", "--d", "6"])
    assert (call.args, call.kwargs) == ((1, 5), {"d": 6})


def test_wrapped_task_has_the_options_of_the_inner_one() -> None:
    from redun.task import wraps_task

    @wraps_task()
    def twice(inner):
        @task()
        def do_twice(*args, **kwargs):
            return [inner.func(*args, **kwargs)] * 2

        return do_twice.func

    @twice
    @task()
    def inner(count: int):
        return count

    assert parse_task_call(inner, ["--count", "3"]).kwargs == {"count": 3}


@pytest.mark.parametrize("command", ["help", "info"])
def test_pseudo_commands(command: str) -> None:
    assert parse_task_call(sample, [command]).command == command
    assert parse_task_call(sample, ["--a-int", "3", command]).command == command


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["--a-imt", "3"], "demo.sample: unrecognized arguments: --a-imt 3", "`--a-int`"),
        (["--zzz=3"], "demo.sample: unrecognized arguments: --zzz=3", "help` lists"),
        (["a-int", "3"], "demo.sample: unexpected word `a-int`", "`--a-int`"),
    ],
)
def test_unknown_words_are_refused(words: list[str], message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_task_call(sample, words)
    assert hint in " ".join(caught.value.hints)


def test_help_shows_defaults_and_docstring() -> None:
    parser, names = get_task_arg_parser(sample, include_defaults=True)
    text = parser.format_help()
    assert "usage: demo.sample" in text
    assert "Uses 100% of\n  its docstring." in text
    assert "(default: b)" in text
    assert names["a_int"] == "a_int"


def test_help_without_defaults() -> None:
    parser, _ = get_task_arg_parser(sample, include_defaults=False)
    assert "default" not in parser.format_help()


def test_default_that_its_annotation_cannot_parse_is_no_obstacle() -> None:
    @task()
    def func(x: int = "many", y: int = 1):  # type: ignore[assignment]
        return x

    assert parse_task_call(func, ["--y", "2"]).kwargs == {"y": 2}
