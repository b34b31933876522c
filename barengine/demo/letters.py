"""Late and dead letters as they are read back, and whether each of them can be right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from barengine.demo.records import InputRecord, OutputRecord
from barengine.demo.report import Difference, Kind

_NS_PER_MS: Final = 10**6
LATE_REASONS: Final = frozenset({"watermark", "silence"})
FUTURE: Final = "future"


@dataclass(slots=True)
class Letter:
    """One letter, which stands for one input record."""

    partition: int
    offset: int
    late: bool
    """Came from the topic of late ticks, not of dead letters."""
    reason: str
    record: OutputRecord
    seen: bool = False
    """Its input record was read."""

    @property
    def where(self) -> str:
        """The input record that it stands for."""
        return f"partition {self.partition} offset {self.offset}"

    def number(self, header: str) -> int | None:
        """An integer header; None where it is missing or no integer."""
        return _number(self.record.header(header))

    def wrong(self, field: str, expected: object, got: object) -> Difference:
        """Something about this letter cannot be right."""
        return Difference(Kind.LETTER, self.where, field, str(expected), str(got))


Letters = dict[int, dict[int, Letter]]
"""By source partition and source offset."""


def read_letters(
    records: Iterable[OutputRecord], late: bool, into: Letters
) -> Iterator[Difference]:
    """Index letters by the record they stand for; yields what is wrong with them by itself."""
    for record in records:
        partition = _number(record.header("source_partition"))
        offset = _number(record.header("source_offset"))
        reason = (record.header("reason") or b"").decode(errors="replace")
        if partition is None or offset is None:
            where = f"letter {record.offset} of partition {record.partition}"
            yield Difference(Kind.LETTER, where, "source headers", "integers", "none")
            continue
        letter = Letter(partition, offset, late, reason, record)
        if partition != record.partition:
            yield letter.wrong("partition", partition, record.partition)
        if (reason in LATE_REASONS) is not late:
            topic = "late ticks" if late else "dead letters"
            yield letter.wrong("reason", f"one of {topic}", reason or "none")
        if into.setdefault(partition, {}).setdefault(offset, letter) is not letter:
            yield letter.wrong("letters", 1, "another one")


def check_copy(letter: Letter, source: InputRecord) -> Iterator[Difference]:
    """Key, value and timestamp are the input's, untouched unless marked as truncated."""
    if letter.record.header("truncated") is None:
        if letter.record.value != source.value:
            yield letter.wrong("value", source.value, letter.record.value)
        if letter.record.key != source.key:
            yield letter.wrong("key", source.key, letter.record.key)
    if letter.record.time_ms != source.time_ms:
        yield letter.wrong("record timestamp", source.time_ms, letter.record.time_ms)


def check_late(
    letter: Letter, time_ms: int, period_ms: int, grace_ms: float, clock_ms: int | None
) -> Iterator[Difference]:
    """A late tick names its bucket, and a ``watermark`` one was late by event time alone.

    Args:
        clock_ms: the largest event time accepted before it under the same clock, None if none.
    """
    start_ms = time_ms - time_ms % period_ms
    for header, expected in (("bucket_start", start_ms), ("bucket_end", start_ms + period_ms)):
        if letter.number(header) != expected:
            yield letter.wrong(header, expected, letter.number(header))
    lateness_ms = letter.number("lateness_ms")
    least_ms = 0 if clock_ms is None else clock_ms - time_ms
    if lateness_ms is None or lateness_ms < least_ms:
        yield letter.wrong("lateness_ms", f"at least {least_ms}", lateness_ms)
    if letter.reason == "watermark" and not is_late(start_ms + period_ms, grace_ms, clock_ms):
        wanted = f"an earlier event time >= {start_ms + period_ms + grace_ms}"
        yield letter.wrong("reason watermark", wanted, clock_ms)


def check_beyond(letter: Letter, horizon_ms: int) -> Iterator[Difference]:
    """Where late ticks correct bars, one that does not was too late for that."""
    lateness_ms = letter.number("lateness_ms")
    if lateness_ms is not None and lateness_ms < horizon_ms:
        yield letter.wrong("lateness_ms", f"at least the horizon, {horizon_ms}", lateness_ms)


def is_late(end_ms: int, grace_ms: float, clock_ms: int | None) -> bool:
    """Whether event time alone has closed the bucket that ends at ``end_ms``."""
    return clock_ms is not None and end_ms + grace_ms <= clock_ms


def check_dead(letter: Letter, reason: str | None) -> Iterator[Difference]:
    """The reason is the one that the value has by itself; None: it is a good tick."""
    if letter.reason != (reason or FUTURE):
        yield letter.wrong("reason", reason or "none: it is a good tick", letter.reason)


def grace_in_ms(grace_ns: int) -> float:
    """Exact for whole milliseconds, and close enough for a comparison otherwise."""
    whole, rest = divmod(grace_ns, _NS_PER_MS)
    return whole + rest / _NS_PER_MS if rest else whole


def _number(header: bytes | None) -> int | None:
    try:
        return None if header is None else int(header)
    except ValueError:
        return None
