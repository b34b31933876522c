"""How one value is read: durations, names, paths. Every refusal says what to write."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

from barengine.model import NS_PER_MS, NS_PER_S, Period

MASK: Final = "***"
"""Stands for a secret wherever settings are shown."""


MAX_PORT: Final = 65_535

_UNITS_NS: Final = {
    "d": 86_400 * NS_PER_S,
    "h": 3_600 * NS_PER_S,
    "m": 60 * NS_PER_S,
    "s": NS_PER_S,
    "ms": NS_PER_MS,
}
_DURATION_RE: Final = re.compile(r"([0-9]{1,12})(ms|[smhd])")
_LONGEST: Final = "3650d"
# Ten years: long for every key, and far below 2^62 ns, so that clock arithmetic cannot overflow.


def parse_duration(text: str) -> int:
    """Read ``250ms``, ``5s``, ``1m``, ``1h`` or ``30d`` into nanoseconds.

    Raises:
        ValueError: not of that form.
    """
    match = _DURATION_RE.fullmatch(text.strip())
    if match is None:
        raise ValueError("this is no duration; write a number and a unit: 250ms 5s 1m 1h 30d")
    return int(match[1]) * _UNITS_NS[match[2]]


def format_duration(duration_ns: int) -> str:
    """Write nanoseconds in the largest unit that divides them: the inverse of parse_duration."""
    for unit, unit_ns in _UNITS_NS.items():
        if duration_ns and duration_ns % unit_ns == 0:
            return f"{duration_ns // unit_ns}{unit}"
    return "0s" if not duration_ns else f"{duration_ns / NS_PER_MS}ms"


def duration(low: str, high: str = _LONGEST) -> BeforeValidator:
    """A duration from ``low`` to ``high``, as integer nanoseconds."""
    low_ns, high_ns = parse_duration(low), parse_duration(high)

    def read(value: str | int | None) -> int | None:
        value_ns = parse_duration(value) if isinstance(value, str) else value
        if value_ns is not None and not low_ns <= value_ns <= high_ns:
            raise ValueError(f"out of range; write {low} to {high}")
        return value_ns

    return BeforeValidator(read)


def _off(value: str | int | None) -> str | int | None:
    return None if isinstance(value, str) and value.strip().lower() == "off" else value


_SERVER_RE: Final = re.compile(r"(?:\[[0-9A-Fa-f:]+\]|[^\s:,\[\]]+):([0-9]{1,5})")


def _servers(text: str) -> str:
    servers = [server.strip() for server in text.split(",")]
    for server in servers:
        match = _SERVER_RE.fullmatch(server)
        if match is None or not 0 < int(match[1]) <= MAX_PORT:
            raise ValueError("write host:port, several separated by commas")
    return ",".join(servers)


_NAME_RE: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")


def check_kafka_name(text: str) -> str:
    """The name of a topic or group.

    Raises:
        ValueError: Kafka does not take it.
    """
    if _NAME_RE.fullmatch(text) is None or text in (".", ".."):
        raise ValueError("Kafka takes 1 to 249 letters, digits, '.', '_' and '-'")
    return text


def _context(text: str) -> str:
    # Without dots inside, a.b + c and a + b.c cannot become the same topic.
    if text:
        check_kafka_name(text)
    if "." in text:
        raise ValueError("it joins names by a '.' and so must hold none; write '-' or '_'")
    return text


def _output_topic(text: str) -> str:
    if _NAME_RE.fullmatch(text.replace("{period}", "1m")) is None:
        raise ValueError("write a topic name, in which {period} stands for the period")
    return text


_PATH_RE: Final = re.compile(r"[^\s.()@,]+(\.[^\s.()@,]+)*")


def _field_path(text: str) -> str:
    if _PATH_RE.fullmatch(text) is None:
        raise ValueError("write a field name, or the path to it with dots: quote.bid")
    return text


_MID_RE: Final = re.compile(r"mid\((?P<bid>[^,]*),(?P<ask>[^,]*)\)")


def _price_path(text: str) -> str:
    match = _MID_RE.fullmatch(text)
    if match is None:
        return _field_path(text)
    return f"mid({_field_path(match['bid'].strip())},{_field_path(match['ask'].strip())})"


RECORD_TIMESTAMP: Final = "@record"
"""Value of FIELD_TIMESTAMP: event time is the timestamp of the Kafka record."""


def _time_path(text: str) -> str:
    return text if text == RECORD_TIMESTAMP else _field_path(text)


def check_readable(path: Path) -> Path:
    """The path of a file that can be read.

    Raises:
        ValueError: it cannot.
    """
    try:
        path.open("rb").close()
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror}); write the path of a file") from None
    return path


def _url(text: str) -> str:
    wrong = ValueError("write http://host:port or https://host:port")
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise wrong from None
    if not usable:
        raise wrong
    return text.rstrip("/")


_USERINFO_RE: Final = re.compile(r"(?<=://)\S*@")


def mask_url(text: str) -> str:
    """Hide the user and password of each URL in a text."""
    return _USERINFO_RE.sub(MASK + "@", text)


def mask_value(text: str) -> str:
    """Hide the user and password of a text that is one URL, whatever characters are in them."""
    head, separator, rest = text.partition("://")
    host = rest.rpartition("@")[2]
    return text if host == rest else f"{head}{separator}{MASK}@{host}"


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _upper(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


def _period(value: str | Period) -> Period:
    return Period.parse(value) if isinstance(value, str) else value


def _periods(value: str | tuple[Period, ...]) -> tuple[Period, ...]:
    if not isinstance(value, str):
        return value
    periods = [Period.parse(text) for text in value.split(",")]
    for one in periods:
        if sum(one.length_ns == other.length_ns for other in periods) > 1:
            raise ValueError(f"{one} is there twice; write it once")
    return tuple(sorted(periods, key=lambda period: period.length_ns))


Off = BeforeValidator(_off)
Lower = BeforeValidator(_lower)
Upper = BeforeValidator(_upper)
Servers = Annotated[str, AfterValidator(_servers)]
KafkaName = Annotated[str, AfterValidator(check_kafka_name)]
Context = Annotated[str, AfterValidator(_context)]
OutputTopic = Annotated[str, AfterValidator(_output_topic)]
FieldPath = Annotated[str, AfterValidator(_field_path)]
PricePath = Annotated[str, AfterValidator(_price_path)]
TimePath = Annotated[str, AfterValidator(_time_path)]
ReadableFile = Annotated[Path, AfterValidator(check_readable)]
Url = Annotated[str, AfterValidator(_url)]
PeriodText = BeforeValidator(_period)
PeriodsText = BeforeValidator(_periods)
