"""One pipeline for every log line: ours, and those of the libraries beneath.

A line is one JSON object (timestamp, level, event, then what belongs to it), or the same for eyes
on a terminal. Secrets are masked here as well, whoever wrote the line.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import structlog
from structlog.typing import Processor

from barengine.settings import MASK, LogFormat, LogLevel, mask_url

_SECRET_RE: Final = re.compile(r"password|passwd|secret|token|authorization|credential", re.I)
_FIRST: Final = ("timestamp", "level", "event", "logger")

_LIBRARIES: Final = ("aiokafka", "uvicorn", "asyncio", "httpx", "httpx2", "httpcore", "httpcore2")
"""They tell at INFO what they do and at ERROR what they will try again."""

_Event = MutableMapping[str, Any]


def configure(level: LogLevel, fmt: LogFormat, stream: TextIO | None = None) -> None:
    """Send every log line of the process to ``stream``, standard error by default.

    INFO of the libraries is shown at ``debug`` only, their DEBUG never: it prints whole requests,
    the one with the password too. A second call replaces the first.
    """
    out = sys.stderr if stream is None else stream
    console = fmt is LogFormat.CONSOLE or (fmt is LogFormat.AUTO and out.isatty())
    least = logging.getLevelNamesMapping()[level.name]
    handler = _Handler(out)
    handler.setFormatter(_formatter(console, colors=out.isatty()))
    handler.addFilter(_Demote(least))
    _route(handler, least)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # so that a second call, or a test, replaces the first
    )


class _Handler(logging.StreamHandler[TextIO]):
    """Ours among the handlers of the root logger."""


class _Demote(logging.Filter):
    """Takes an error of aiokafka for a warning: it retries, and what it cannot, it raises."""

    def __init__(self, least: int) -> None:
        super().__init__()
        self._least = least

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("aiokafka") and record.levelno == logging.ERROR:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return record.levelno >= self._least


def _route(handler: _Handler, least: int) -> None:
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(least)
    quiet = logging.INFO if least <= logging.DEBUG else logging.WARNING
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(quiet)


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        _timestamp,
    ]


def _formatter(console: bool, colors: bool) -> logging.Formatter:
    render: list[Processor] = [_in_order, structlog.processors.JSONRenderer()]
    if console:
        # Tracebacks are text by then; were one not, the default would show local variables.
        plain = structlog.dev.plain_traceback
        render = [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_shared(), structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _mask,
            *render,
        ],
    )


def _timestamp(_: object, __: str, event: _Event) -> _Event:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    event["timestamp"] = now.removesuffix("+00:00") + "Z"
    return event


def _mask(_: object, __: str, event: _Event) -> _Event:
    return {key: _masked(key, value) for key, value in event.items()}


def _masked(key: str, value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value if value is None or not _SECRET_RE.search(key) else MASK
        case Mapping():
            return {str(inner): _masked(str(inner), each) for inner, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(key, each) for each in value]
        case _:
            return MASK if _SECRET_RE.search(key) else mask_url(str(value))


def _in_order(_: object, __: str, event: _Event) -> _Event:
    first = {key: event.pop(key) for key in _FIRST if key in event}
    return {**first, **event}
