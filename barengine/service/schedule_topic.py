"""What a schedule's topic holds: under each market's name its document, under ``_brokers`` who
trades where."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from barengine.errors import ConfigurationError
from barengine.kafka.follow import Record
from barengine.schedule import Market, Schedule, parse_brokers, parse_market

BROKERS_KEY: Final = b"_brokers"
"""No market's name: those begin with a letter or a digit."""

Brokers = tuple[dict[str, str], str | None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that is not in force, and why."""

    record: Record
    place: str
    """Topic, key and offset, for messages."""
    error: ConfigurationError


@dataclass(frozen=True, slots=True)
class _Document:
    """A record that is right by itself; without content it is a tombstone."""

    content: Market | Brokers | None


_Documents = dict[bytes | None, _Document]


class ScheduleBook:
    """The schedule that the records of a topic make.

    A record that is wrong by itself counts as if it had not come. Of the others, the newest of all
    keys are in force if they work together. Where they do not (a broker's market is not there),
    a new record is in force if it works with those that are, and otherwise once others let it.
    So what is in force follows from the records alone, wherever they were cut into looks.

    Args:
        topic: for messages.
        check: what else a market must be, raising ConfigurationError; once for each record.
    """

    def __init__(self, topic: str, check: Callable[[Market], object] | None = None) -> None:
        self._topic = topic
        self._check = check
        self._newest: _Documents = {}
        self._good: _Documents = {}
        self.schedule = Schedule()
        """What is in force."""

    def begin(self, records: Sequence[Record]) -> list[Refusal]:
        """Take all that the topic holds.

        Returns:
            As :meth:`take`.

        Raises:
            ConfigurationError: of a key there is only what cannot work. What held before cannot
                be known, and to go on without it would give other bars than those that run.
        """
        refused = self.take(records)
        lost = [one for one in refused if one.record.key not in self._good]
        if lost:
            raise ConfigurationError(
                *(problem for one in lost for problem in one.error.problems),
                *(
                    f"{one.place}: the topic holds no version of it that works, and what held "
                    "before is not known (compaction keeps the newest record of a key): write one"
                    for one in lost
                ),
            )
        return refused

    def take(self, records: Sequence[Record]) -> list[Refusal]:
        """Take the next records, in offset order. Slow: a tenth of a second for a market.

        Returns:
            Those that are not in force, but for what a right one behind them has replaced.
        """
        read: dict[int, _Document | Refusal] = {}
        newest, refused = dict(self._newest), {}
        settled: set[bytes | None] = set()
        for record in reversed(records):  # what is replaced by a right one need not be read
            if record.key not in settled:
                one = read[record.offset] = self._read(record)
                if isinstance(one, _Document):
                    settled.add(record.key)
                    newest[record.key] = one
                else:
                    refused[record.offset] = one
        try:
            self._put_in_force(newest)
        except ConfigurationError:
            refused |= self._one_by_one(records, read)
        self._newest = newest
        return [refused[offset] for offset in sorted(refused)]

    def _one_by_one(
        self, records: Sequence[Record], read: Mapping[int, _Document | Refusal]
    ) -> dict[int, Refusal]:
        """Put in force what each record allows, where the newest do not work together; those that
        allow nothing, by offset."""
        newest = dict(self._newest)
        misfits: dict[bytes | None, Refusal] = {}
        for record in records:
            one = read.get(record.offset) or self._read(record)
            if isinstance(one, Refusal):
                continue
            newest[record.key] = one
            misfits.pop(record.key, None)
            try:
                self._put_in_force(newest)
                misfits.clear()
            except ConfigurationError:
                try:
                    self._put_in_force(self._good | {record.key: one})
                except ConfigurationError as error:
                    misfits[record.key] = self._refusal(record, error)
        return {one.record.offset: one for one in misfits.values()}

    def _read(self, record: Record) -> _Document | Refusal:
        """What a record says, or why it is wrong by itself."""
        try:
            return _Document(self._content(record))
        except ConfigurationError as error:
            return self._refusal(record, error)

    def _refusal(self, record: Record, error: ConfigurationError) -> Refusal:
        return Refusal(record, self._place_of(record), error)

    def _content(self, record: Record) -> Market | Brokers | None:
        if record.value is None:
            return None
        if record.key == BROKERS_KEY:
            return parse_brokers(self._text(record), self._place_of(record))
        name = (record.key or b"").decode("utf-8", "replace")
        market = parse_market(name, self._text(record), self._place_of(record))
        try:
            if self._check is not None:
                self._check(market)
        except ConfigurationError as error:
            place = self._place_of(record)
            raise ConfigurationError(*(f"{place}: {text}" for text in error.problems)) from None
        return market

    def _put_in_force(self, documents: _Documents) -> None:
        """Raises ConfigurationError, and changes nothing, where they do not work together."""
        contents = [one.content for one in documents.values()]
        brokers = next((one for one in contents if isinstance(one, tuple)), ({}, None))
        markets = {one.name: one for one in contents if isinstance(one, Market)}
        try:
            self.schedule = Schedule(markets, *brokers)
        except ConfigurationError as error:
            raise ConfigurationError(
                *(f"topic {self._topic}: {problem}" for problem in error.problems)
            ) from None
        self._good = {key: one for key, one in documents.items() if one.content is not None}

    def _place_of(self, record: Record) -> str:
        key = "none" if record.key is None else repr(record.key.decode("utf-8", "replace"))
        return f"topic {self._topic}, key {key}, offset {record.offset}"

    def _text(self, record: Record) -> str:
        try:
            return (record.value or b"").decode("utf-8")
        except UnicodeDecodeError:
            raise ConfigurationError(
                f"{self._place_of(record)}: the value is not UTF-8; write YAML or JSON"
            ) from None
