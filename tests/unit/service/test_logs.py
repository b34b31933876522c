from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from barengine.service.logs import configure
from barengine.settings import LogFormat, LogLevel

SECRET = "hunter2"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Put back what configure changes for the whole process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    names = ("aiokafka", "uvicorn", "asyncio")
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_one_json_object(out: io.StringIO) -> None:
    """Time in UTC with milliseconds, level, event, logger, then what belongs to the event."""
    configure(LogLevel.INFO, LogFormat.JSON, out)
    structlog.get_logger("barengine.x").info("committed", partition=3, seconds=0.5, parts=[1, "a"])
    (line,) = lines(out)
    assert list(line)[:4] == ["timestamp", "level", "event", "logger"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert line == {
        "level": "info",
        "event": "committed",
        "logger": "barengine.x",
        "partition": 3,
        "seconds": 0.5,
        "parts": [1, "a"],
    }


def test_stdlib_logging_goes_the_same_way(out: io.StringIO) -> None:
    """Libraries need not know structlog; their extra values are kept."""
    configure(LogLevel.INFO, LogFormat.JSON, out)
    logging.getLogger("some.library").info("read %d records", 5, extra={"partition": 3})
    (line,) = lines(out)
    assert (line["event"], line["logger"], line["partition"]) == (
        "read 5 records",
        "some.library",
        3,
    )


def test_a_traceback_stays_in_its_line(out: io.StringIO) -> None:
    """An exception is a value of the line, without local variables."""
    configure(LogLevel.INFO, LogFormat.JSON, out)
    try:
        password = SECRET
        raise ValueError(len(password))
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = lines(out)
    assert line["exception"].startswith("Traceback")
    assert SECRET not in out.getvalue()


@pytest.mark.parametrize(
    ("stream", "fmt", "is_json"),
    [
        (io.StringIO(), LogFormat.AUTO, True),
        (Terminal(), LogFormat.AUTO, False),
        (Terminal(), LogFormat.JSON, True),
        (io.StringIO(), LogFormat.CONSOLE, False),
    ],
)
def test_auto_is_console_on_a_terminal(stream: io.StringIO, fmt: LogFormat, is_json: bool) -> None:
    """Eyes get the console format, collectors get JSON, and either can be forced."""
    configure(LogLevel.INFO, fmt, stream)
    structlog.get_logger().info("hello", answer=42)
    assert stream.getvalue().startswith('{"') == is_json
    assert "hello" in stream.getvalue()


def test_colours_are_for_terminals(out: io.StringIO) -> None:
    """A console format in a file holds no escape codes."""
    configure(LogLevel.INFO, LogFormat.CONSOLE, out)
    structlog.get_logger().info("hello")
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize("level", list(LogLevel))
def test_the_level_decides_what_is_written(out: io.StringIO, level: LogLevel) -> None:
    """LOG_LEVEL is the least important line that is still written, ours or a library's."""
    configure(level, LogFormat.JSON, out)
    for each in LogLevel:
        structlog.get_logger("ours").log(logging.getLevelNamesMapping()[each.name], each.value)
        logging.getLogger("other").log(logging.getLevelNamesMapping()[each.name], each.value)
    expected = list(LogLevel)[list(LogLevel).index(level) :]
    assert [line["event"] for line in lines(out)] == [each for each in expected for _ in range(2)]


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (LogLevel.DEBUG, ["info", "warning", "warning", "critical"]),
        (LogLevel.INFO, ["warning", "warning", "critical"]),
        (LogLevel.ERROR, ["critical"]),
    ],
)
def test_aiokafka_is_quieter(out: io.StringIO, level: LogLevel, expected: list[str]) -> None:
    """Its INFO needs debug, its errors are warnings (it retries), its DEBUG is never shown: it
    prints whole requests, the one with the password too."""
    configure(level, LogFormat.JSON, out)
    library = logging.getLogger("aiokafka.conn")
    library.debug("Request: SaslAuthenticateRequest(sasl_auth_bytes=%r)", SECRET)
    library.info("rebalanced")
    library.warning("slow")
    library.error("heartbeat failed")
    library.critical("broken")
    assert [line["level"] for line in lines(out)] == expected
    assert SECRET not in out.getvalue()


@pytest.mark.parametrize("fmt", [LogFormat.JSON, LogFormat.CONSOLE])
def test_no_line_holds_a_secret(out: io.StringIO, fmt: LogFormat) -> None:
    """By key, by type, inside a URL, nested, in an exception, from a library: masked."""
    configure(LogLevel.INFO, fmt, out)
    url = f"http://user:{SECRET}@registry:8081"
    log = structlog.get_logger()
    log.info("started", sasl_password=SECRET, registry=url, key=SecretStr(SECRET))
    log.info("nested", settings={"password": SECRET, "urls": [url]}, tokens=[SECRET])
    log.warning("failed", error=ValueError(url), authorization=SECRET.encode())
    log.info("at %s", url)
    logging.getLogger("library").warning("no answer from %s", url)
    try:
        raise ValueError(url)
    except ValueError:
        log.exception("failed")
    assert "Traceback" in out.getvalue()
    assert out.getvalue().count("***") >= 9
    assert SECRET not in out.getvalue()


def test_what_is_no_secret_is_not_masked(out: io.StringIO) -> None:
    """User names, addresses without credentials, and unset secrets are shown."""
    configure(LogLevel.INFO, LogFormat.JSON, out)
    structlog.get_logger().info("x", user="u", url="http://h:1", sasl_password=None, n=True)
    (line,) = lines(out)
    assert line["user"] == "u"
    assert line["url"] == "http://h:1"
    assert line["sasl_password"] is None
    assert line["n"] is True


def test_a_second_call_replaces_the_first(out: io.StringIO) -> None:
    """A line is written once, to where the last call said; foreign handlers stay."""
    foreign = logging.NullHandler()
    logging.getLogger().addHandler(foreign)
    log = structlog.get_logger()
    configure(LogLevel.INFO, LogFormat.JSON, out)
    log.info("first")
    second = io.StringIO()
    configure(LogLevel.WARNING, LogFormat.JSON, second)
    log.info("hidden")
    log.warning("second")
    assert [line["event"] for line in lines(out)] == ["first"]
    assert [line["event"] for line in lines(second)] == ["second"]
    assert foreign in logging.getLogger().handlers


def test_standard_error_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output belongs to the commands."""
    configure(LogLevel.INFO, LogFormat.JSON)
    structlog.get_logger().info("hello")
    captured = capsys.readouterr()
    assert json.loads(captured.err)["event"] == "hello"
    assert captured.out == ""


def test_a_second_call_holds_for_loggers_that_are_in_use() -> None:
    """Whoever has logged already goes by the newest call, too."""
    log = structlog.get_logger("used")
    first, second = io.StringIO(), io.StringIO()
    configure(LogLevel.INFO, LogFormat.JSON, first)
    log.info("one")
    configure(LogLevel.INFO, LogFormat.JSON, second)
    with structlog.testing.capture_logs() as captured:
        log.info("two")
    log.info("three")
    assert [line["event"] for line in captured] == ["two"]
    assert "one" in first.getvalue()
    assert "three" in second.getvalue()
