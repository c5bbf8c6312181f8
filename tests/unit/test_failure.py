"""Errors as values, frames of jobs, trimmed and formatted tracebacks."""

import pickle

import pytest

from redun import task
from redun.engine.report import task_traceback
from redun.expression import TaskExpression
from redun.model.failure import ErrorValue, Frame, Traceback, unusable
from redun.model.job import Job
from redun.value import InvalidValueError, get_type_registry

redun_namespace = "test_failure"


@task(
    version="1",
)
def fails(first, second=2):
    raise ValueError("inside")


def raised() -> Exception:
    try:
        fails.func(1)
    except ValueError as error:
        return error
    raise AssertionError("the task must raise")


def test_error_value_hash_depends_on_error_and_traceback() -> None:
    plain = ErrorValue(ValueError("a"))
    assert plain.get_hash() == ErrorValue(ValueError("a")).get_hash()
    assert plain.get_hash() != ErrorValue(ValueError("b")).get_hash()
    assert plain.get_hash() != ErrorValue(ValueError("a"), Traceback(None, [])).get_hash()


def test_error_value_needs_an_exception() -> None:
    with pytest.raises(AssertionError):
        ErrorValue("text")


def test_error_value_survives_storage() -> None:
    registry = get_type_registry()
    value = ErrorValue(raised(), Traceback.from_error(raised()))
    again = registry.deserialize("redun.ErrorValue", registry.serialize(value))
    assert isinstance(again.error, ValueError)
    assert again.traceback.frames[-1].name == "fails"
    assert b"credun.scheduler\nErrorValue\n" in registry.serialize(value)


def test_frame_points_at_the_def_line_and_trims_arguments() -> None:
    code = fails.func.__code__
    frame = Frame(code.co_filename, code.co_firstlineno, "fails", {"x": "y" * 500})
    assert frame.line == "def fails(first, second=2):"
    assert len(frame.locals["x"]) == 200
    again = pickle.loads(pickle.dumps(frame))
    assert (again.line, again.lineno, again.locals) == (frame.line, frame.lineno, frame.locals)


def test_traceback_of_nested_jobs() -> None:
    root = Job(fails, TaskExpression(fails.fullname, (), {}))
    child = Job(fails, TaskExpression(fails.fullname, (), {}), parent_job=root)
    child.eval_args = ([7], {"second": "b"})
    error = raised()
    lines = list(task_traceback(child, error, Traceback.from_error(error)).format())
    assert lines[0].startswith(f"  Job {root.id[:8]}: File ")
    assert "    first  = 7" in lines
    assert "    second = 'b'" in lines
    assert '    raise ValueError("inside")' in lines
    assert lines[-1] == "ValueError: inside"


def test_logs_come_last() -> None:
    lines = list(Traceback(ValueError("x"), [], logs=["one\n", "two"]).format())
    assert lines[-3:] == ["Latest logs:", "one", "two"]


def test_unusable_names_the_value() -> None:
    error = unusable(TypeError("cannot pickle 'generator' object"), "The result of f()")
    assert isinstance(error, InvalidValueError)
    assert "The result of f() cannot be pickled" in str(error)
    other = ValueError("something else")
    assert unusable(other, "x") is other
