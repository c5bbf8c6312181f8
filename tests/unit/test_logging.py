"""The logger: prefix, level, and writing to whatever standard error is."""

import io
import logging
import threading

import pytest

import redun.logging
from redun.logging import log_handler, log_levels, logger


def test_setup() -> None:
    assert logger is logging.getLogger("redun")
    assert logger.level == logging.INFO
    assert logger.propagate is False
    assert log_handler in logger.handlers
    assert log_levels["WARN"] == logging.WARNING
    assert set(log_levels) == {"ERROR", "WARN", "INFO", "DEBUG"}


def test_prefix_on_the_stderr_of_the_moment(capsys: pytest.CaptureFixture) -> None:
    logger.info("hello %s", "you")
    logger.debug("not shown")
    assert capsys.readouterr().err == "[redun] hello you\n"


def test_exceptions_are_shown(capsys: pytest.CaptureFixture) -> None:
    try:
        raise KeyError("k")
    except KeyError:
        logger.exception("failed")
    err = capsys.readouterr().err
    assert err.startswith("[redun] failed\nTraceback")
    assert "KeyError: 'k'" in err


def test_stream_and_formatter_can_be_replaced() -> None:
    stream = io.StringIO()
    handler = redun.logging.StderrHandler()
    assert handler.setStream(stream) is not None
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handler.emit(logging.LogRecord("x", logging.INFO, "f", 1, "m", None, None))
    assert stream.getvalue() == "INFO m\n"


def test_holding_messages_leaves_the_lock_free() -> None:
    held = log_handler.hold()
    logger.getChild("held").warning("x")
    log_handler.write_held()
    if held:
        log_handler.let_go()
    free: list[bool] = []

    def take() -> None:
        assert log_handler.lock is not None
        free.append(log_handler.lock.acquire(timeout=5))
        if free[0]:
            log_handler.lock.release()

    other = threading.Thread(target=take)
    other.start()
    other.join()
    assert free == [True]
