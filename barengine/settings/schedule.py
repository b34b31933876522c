"""Where the market schedule comes from: a file, a topic, or the exchanges of a library."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BeforeValidator

from barengine.settings.values import check_kafka_name, check_readable

_WAY_OUT: Final = (
    "write a path that ends in .yaml or .yml, file:PATH, topic:NAME, exchange:XNYS, or "
    "exchange:XNYS,BROKER=XLON for several exchanges"
)
_EXCHANGE_RE: Final = re.compile(r"[A-Za-z0-9_/]{1,32}")


class ScheduleKind(StrEnum):
    """What a schedule is read from."""

    FILE = "file"
    TOPIC = "topic"
    EXCHANGE = "exchange"


@dataclass(frozen=True, slots=True)
class ScheduleFrom:
    """A source of schedules; as text it is what the user wrote."""

    text: str
    kind: ScheduleKind
    name: str
    """Path of the file; topic without its context; the default exchange, empty for none."""
    brokers: tuple[tuple[str, str], ...] = ()
    """Broker and exchange."""

    @classmethod
    def parse(cls, text: str) -> ScheduleFrom:
        """Read the setting. A file must be readable.

        Raises:
            ValueError: of none of the forms.
        """
        head, colon, rest = text.partition(":")
        if colon and head in list(ScheduleKind):
            kind, name = ScheduleKind(head), rest.strip()
        elif text.endswith((".yaml", ".yml")):
            kind, name = ScheduleKind.FILE, text
        else:
            raise ValueError(_WAY_OUT)
        if kind is ScheduleKind.EXCHANGE:
            return cls(text, kind, *_exchanges(name))
        if kind is ScheduleKind.FILE:
            check_readable(Path(name))
        else:
            check_kafka_name(name)
        return cls(text, kind, name)

    def __str__(self) -> str:
        return self.text


def _exchanges(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    default = ""
    brokers: dict[str, str] = {}
    for part in text.split(","):
        broker, equals, code = (word.strip() for word in part.rpartition("="))
        if not _EXCHANGE_RE.fullmatch(code) or (equals and not broker):
            raise ValueError(_WAY_OUT)
        if (broker in brokers) if equals else default:
            whose = f"broker {broker!r}" if equals else "the default"
            raise ValueError(f"{whose} has two exchanges; write one")
        if equals:
            brokers[broker] = code
        else:
            default = code
    return default, tuple(brokers.items())


def _parsed(value: str | ScheduleFrom | None) -> ScheduleFrom | None:
    return ScheduleFrom.parse(value.strip()) if isinstance(value, str) else value


ScheduleText = BeforeValidator(_parsed)
