"""What a schedule's topic holds: under each market's name its document, under ``_brokers`` who
trades where."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from barengine.errors import ConfigurationError
from barengine.kafka.follow import Record
from barengine.schedule import Market, Schedule, parse_brokers, parse_market

BROKERS_KEY: Final = b"_brokers"
"""No market's name: those begin with a letter or a digit."""


class ScheduleBook:
    """The newest record of each key, and the markets that were read from them.

    Args:
        topic: for messages.
        records: to begin with, in order.
    """

    def __init__(self, topic: str, records: Iterable[Record] = ()) -> None:
        self._topic = topic
        self._newest: dict[bytes | None, Record] = {}
        self._markets: dict[int, Market] = {}
        for record in records:
            self.put(record)

    def copy(self) -> ScheduleBook:
        """Another one that holds the same."""
        book = ScheduleBook(self._topic)
        book._newest, book._markets = dict(self._newest), dict(self._markets)
        return book

    def put(self, record: Record) -> None:
        """Take a record in the place of the one before it with its key; nothing is read yet."""
        before = self._newest.pop(record.key, None)
        if before is not None:
            self._markets.pop(before.offset, None)
        if record.value is not None:
            self._newest[record.key] = record

    def schedule(self) -> Schedule:
        """Read what is not read yet; the schedule of all of it.

        Raises:
            ConfigurationError: with every problem; each names topic, key, offset and line.
        """
        problems: list[str] = []
        markets: dict[str, Market] = {}
        brokers: tuple[dict[str, str], str | None] = ({}, None)
        for key, record in self._newest.items():
            try:
                if key == BROKERS_KEY:
                    brokers = parse_brokers(self._text(record), self.place_of(record))
                else:
                    market = self._market(record)
                    markets[market.name] = market
            except ConfigurationError as error:
                problems += error.problems
        if problems:
            raise ConfigurationError(*problems)
        try:
            return Schedule(markets, *brokers)
        except ConfigurationError as error:
            raise ConfigurationError(
                *(f"topic {self._topic}: {problem}" for problem in error.problems)
            ) from None

    def place_of(self, record: Record) -> str:
        """Where a record stands, for messages."""
        key = "none" if record.key is None else repr(record.key.decode("utf-8", "replace"))
        return f"topic {self._topic}, key {key}, offset {record.offset}"

    def _market(self, record: Record) -> Market:
        market = self._markets.get(record.offset)
        if market is None:
            name = (record.key or b"").decode("utf-8", "replace")
            market = parse_market(name, self._text(record), self.place_of(record))
            self._markets[record.offset] = market
        return market

    def _text(self, record: Record) -> str:
        try:
            return (record.value or b"").decode("utf-8")
        except UnicodeDecodeError:
            raise ConfigurationError(
                f"{self.place_of(record)}: the value is not UTF-8; write YAML or JSON"
            ) from None
