"""State records: what one partition must remember beside its input log.

They live in the compacted state topic, in the partition with the input partition's number, and
are written in the transaction whose bars they belong to. Keys are text, parts joined by ``|``:

    partition            PartitionRecord   C, L, seq and the fingerprint: the only truth
    broker|NAME          BrokerState       clocks of one broker
    series|NAME|SYMBOL   SeriesState       only under WATERMARK=series
    book|NAME            BookStart         only with roll-ups, continuous bars or corrections: since
                                           when the book has seen a broker
    page|NAME|SYMBOL     SeriesPage        with the same: what the book remembers of a series
    kept|NAME|SYMBOL|PERIOD|START          only with corrections: a bar that late ticks can correct
    rejected|BLOCK       ranges            offsets >= L that were rejected for a revocable reason
    windows|BLOCK        StoredBlock       open windows, where [L, C) would be longer than
                                           RESTORE_MAX without them

A value is one version byte, then the Avro binary of the schemas below; a tombstone forgets.
No record grows without bound: a ``rejected`` record covers 65536 offsets, a ``windows`` record
has 64 KiB, the others are of one name; a page has a bar for each period. With corrections there is
a kept bar for each bucket of CORRECTION_HORIZON.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Final, NamedTuple

import fastavro

from barengine.codec.page import encode_page_key
from barengine.codec.state import VERSION, decode_series_value, encode_series_key
from barengine.errors import UnreadableStateError
from barengine.kernel import Book, BookStart, BrokerState, SeriesState, WindowBlock
from barengine.naming import join, split


class StateRecord(NamedTuple):
    """One record for the state topic; ``value`` None is a tombstone."""

    key: bytes
    value: bytes | None


class PartitionRecord(NamedTuple):
    """The partition's own record."""

    commit_offset: int
    """C: everything before it is processed."""
    low_water: int
    """L: smallest first offset of an open window, else C. Recovery re-reads [L, C)."""
    seq: int
    """Grows by one with every commit; two writers would make it jump back."""
    began_whole: bool
    """The engine began at the log's first record, so no bar is partial."""
    fingerprint: str
    """JSON object of the settings that give [L, C) its meaning."""


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """Open windows as the kernel packs them; all blocks of a state are of the same instant."""

    as_of: int
    """Every tick of these windows before this offset is in them."""
    count: int
    content: bytes

    @property
    def windows(self) -> WindowBlock:
        """As the kernel takes it."""
        return WindowBlock(self.count, self.content)


def _schema(name: str, fields: Iterable[tuple[str, object]]) -> Any:
    return fastavro.parse_schema(
        {
            "type": "record",
            "name": f"barengine.state.{name}",
            "fields": [{"name": key, "type": kind} for key, kind in fields],
        }
    )


_PARTITION: Final = _schema(
    "Partition",
    zip(
        PartitionRecord._fields,
        ("long", "long", "long", "boolean", "string"),
        strict=True,
    ),
)
_BROKER: Final = _schema("Broker", [(name, "long") for name in BrokerState._fields[1:]])
_BOOK: Final = _schema(
    "Book",
    [("horizon_ns", "long"), ("since_ns", "long"), ("begins", {"type": "map", "values": "long"})],
)
_WINDOWS: Final = _schema("Windows", [("as_of", "long"), ("count", "long"), ("content", "bytes")])
_RANGES: Final = fastavro.parse_schema({"type": "array", "items": "long"})

PARTITION_KEY: Final = b"partition"
_SERIES_PREFIX: Final = b"series|"
_BOOK_PREFIXES: Final = (b"page|", b"kept|")


def _encode(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    out.write(bytes([VERSION]))
    fastavro.schemaless_writer(out, schema, value)
    return out.getvalue()


def _check_version(key: bytes, value: bytes) -> None:
    if not value or value[0] != VERSION:
        raise UnreadableStateError(
            f"state record {key.decode(errors='replace')!r} has version "
            f"{value[0] if value else 'none'}, this release reads version {VERSION}: "
            "run the release that wrote it, or give the state up"
        )


def _decode(schema: Any, key: bytes, value: bytes) -> Any:
    _check_version(key, value)
    stream = io.BytesIO(value[1:])
    try:
        decoded = fastavro.schemaless_reader(stream, schema, None)
    except Exception as error:  # fastavro raises many kinds on damaged bytes
        raise _damaged(key, str(error)) from error
    if stream.read(1):
        raise _damaged(key, "bytes behind its last field")
    return decoded


def _decode_series(key: bytes, value: bytes) -> tuple[int, int]:
    _check_version(key, value)
    try:
        return decode_series_value(value)
    except ValueError as error:
        raise _damaged(key, str(error)) from error


def _damaged(key: bytes, what: str) -> UnreadableStateError:
    return UnreadableStateError(f"state record {key.decode(errors='replace')!r} is damaged: {what}")


def partition_record(record: PartitionRecord) -> StateRecord:
    """Encode the partition's own record."""
    return StateRecord(PARTITION_KEY, _encode(_PARTITION, record._asdict()))


def broker_record(state: BrokerState) -> StateRecord:
    """Encode the clocks of one broker."""
    return StateRecord(join("broker", state.broker).encode(), _encode(_BROKER, state._asdict()))


def is_series(key: bytes | None) -> bool:
    """Whether a record of this key is a SeriesState."""
    return key is not None and key.startswith(_SERIES_PREFIX)


def is_page(key: bytes | None) -> bool:
    """Whether a record of this key is a SeriesPage, or one of its kept bars."""
    return key is not None and key.startswith(_BOOK_PREFIXES)


def load_pages(book: Book, records: Iterable[tuple[bytes | None, bytes | None]]) -> None:
    """Put pages back into a book; other records and tombstones are passed over.

    Raises:
        UnreadableStateError: one is damaged, or another release wrote it.
    """
    for key, value in records:
        if key is None or value is None or not is_page(key):
            continue
        _check_version(key, value)
        try:
            book.load_pages([(key, value)])
        except ValueError as error:
            raise _damaged(key, str(error)) from error


def book_record(start: BookStart) -> StateRecord:
    """Encode since when a broker is in the book."""
    content = start._asdict()
    return StateRecord(join("book", content.pop("broker")).encode(), _encode(_BOOK, content))


def book_tombstone(broker: str) -> StateRecord:
    """Forget since when a broker is in the book."""
    return StateRecord(join("book", broker).encode(), None)


def series_tombstone(broker: str, symbol: str) -> StateRecord:
    """Forget one series."""
    return StateRecord(encode_series_key(broker, symbol), None)


def ranges_record(block: int, ranges: list[tuple[int, int]]) -> StateRecord:
    """Encode half-open offset ranges of one block; none make a tombstone."""
    key = join("rejected", str(block)).encode()
    if not ranges:
        return StateRecord(key, None)
    return StateRecord(key, _encode(_RANGES, [edge for pair in ranges for edge in pair]))


def windows_record(number: int, block: StoredBlock | None) -> StateRecord:
    """Encode one block of open windows; None makes a tombstone."""
    value = None if block is None else _encode(_WINDOWS, asdict(block))
    return StateRecord(join("windows", str(number)).encode(), value)


@dataclass(slots=True)
class StateImage:
    """The state of one partition as the topic tells it: the newest record of each key."""

    partition: PartitionRecord | None = None
    brokers: dict[str, BrokerState] = field(default_factory=dict)
    series: dict[tuple[str, str], SeriesState] = field(default_factory=dict)
    books: dict[str, BookStart] = field(default_factory=dict)
    pages: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """As they were written: only a book reads them."""
    kept: dict[bytes, bytes] = field(default_factory=dict)
    """Kept bars by their keys, as they were written."""
    rejected: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    windows: dict[int, StoredBlock] = field(default_factory=dict)

    @classmethod
    def read(cls, records: Iterable[tuple[bytes | None, bytes | None]]) -> StateImage:
        """Replay a state partition from its beginning.

        Raises:
            UnreadableStateError: a record is damaged, of an unknown kind or version, or ``seq``
                went back, which only a second writer could have done.
        """
        image, newest, commits = cls(), dict[bytes | None, bytes | None](), list[bytes]()
        for key, value in records:
            if key != PARTITION_KEY:
                newest[key] = value
            elif value is None:
                commits.clear()
            else:
                commits.append(value)
        for value in commits:
            image.apply(PARTITION_KEY, value)
        # What a newer record replaces may be damaged: a reset can only write behind it.
        for key, value in newest.items():
            if value is not None:
                image.apply(key, value)
        return image

    def apply(self, key: bytes | None, value: bytes | None) -> None:
        """Take one more record of the topic."""
        try:
            kind, *names = split((key or b"").decode())
        except ValueError as error:
            raise UnreadableStateError(f"state record key {key!r} cannot be read") from error
        if not self._apply(kind, names, key or b"", value):
            raise UnreadableStateError(f"state record key {key!r} is of no known kind")

    def _apply(self, kind: str, names: list[str], key: bytes, value: bytes | None) -> bool:
        """Whether there is such a kind."""
        match kind, names:
            case "partition", []:
                self._apply_partition(key, value)
            case "rejected", [block] if block.isdecimal():
                self._apply_ranges(int(block), key, value)
            case "broker", [broker]:
                self.brokers.pop(broker, None)
                if value is not None:
                    clocks = _decode(_BROKER, key, value)
                    self.brokers[broker] = BrokerState(broker=broker, **clocks)
            case "series", [broker, symbol]:
                self.series.pop((broker, symbol), None)
                if value is not None:
                    clocks = _decode_series(key, value)
                    self.series[broker, symbol] = SeriesState(broker, symbol, *clocks)
            case "windows", [block] if block.isdecimal():
                self.windows.pop(int(block), None)
                if value is not None:
                    self.windows[int(block)] = StoredBlock(**_decode(_WINDOWS, key, value))
            case _:
                return self._apply_book(kind, names, key, value)
        return True

    def _apply_book(self, kind: str, names: list[str], key: bytes, value: bytes | None) -> bool:
        match kind, names:
            case "book", [broker]:
                self.books.pop(broker, None)
                if value is not None:
                    start = _decode(_BOOK, key, value)
                    self.books[broker] = BookStart(broker=broker, **start)
            case "page", [broker, symbol]:
                self.pages.pop((broker, symbol), None)
                if value is not None:
                    _check_version(key, value)
                    self.pages[broker, symbol] = value
            case "kept", [_, _, _, _]:
                self.kept.pop(key, None)
                if value is not None:
                    _check_version(key, value)
                    self.kept[key] = value
            case _:
                return False
        return True

    @property
    def book_pages(self) -> list[tuple[bytes, bytes]]:
        """Key and value of pages and kept bars, for :func:`load_pages`."""
        pages = [(encode_page_key(*names), value) for names, value in self.pages.items()]
        return [*pages, *self.kept.items()]

    def _apply_partition(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.partition = None
            return
        record = PartitionRecord(**_decode(_PARTITION, key, value))
        if self.partition is not None and record.seq <= self.partition.seq:
            raise UnreadableStateError(
                f"commit {record.seq} follows commit {self.partition.seq} in the state topic: "
                "two engines wrote it; run each input topic and group once, or set CONTEXT"
            )
        self.partition = record

    def _apply_ranges(self, block: int, key: bytes, value: bytes | None) -> None:
        self.rejected.pop(block, None)
        if value is not None:
            edges = _decode(_RANGES, key, value)
            if len(edges) % 2 or any(a >= b for a, b in pairwise(edges)):
                raise _damaged(key, "its offsets are no ranges")
            self.rejected[block] = list(zip(edges[::2], edges[1::2], strict=True))


WITH_A_BOOK: Final = "WATERMARK"
"""In the fingerprint only of engines that make more than base bars, and compared only between two
of those: what a book has stored of a series is of one mode, and base bars alone go on in either."""

LOCAL_SCHEMA: Final = "INPUT_SCHEMA"
"""In the fingerprint only where one schema reads every value: what names its content."""

SCHEMAS_BY_ID: Final = "SCHEMA_REGISTRY_URL"
"""In the fingerprint only where a registry has the schemas: that there is one. Which one does not
matter, an id means the same in all of them."""

_LEARNED: Final = frozenset({LOCAL_SCHEMA, SCHEMAS_BY_ID})
"""Earlier releases did not write them: a state without is taken as it is, and has them from its
next commit on. A change from JSON to Avro ``INPUT_FORMAT`` tells."""


def changed(stored: Mapping[str, object], current: Mapping[str, str]) -> list[str]:
    """The names of the settings that differ between two fingerprints, in order."""
    return [
        name
        for name in sorted(stored.keys() | current.keys())
        if stored.get(name) != current.get(name) and _counts(name, stored, current)
    ]


def _counts(name: str, stored: Mapping[str, object], current: Mapping[str, str]) -> bool:
    if name == WITH_A_BOOK:
        return name in stored and name in current
    return name in stored or name not in _LEARNED


def differences(stored: str, current: dict[str, str]) -> list[str]:
    """What changed between a stored fingerprint and the current one, one phrase a setting.

    Raises:
        UnreadableStateError: the stored fingerprint is no JSON object.
    """
    try:
        before = json.loads(stored)
    except ValueError as error:
        raise _damaged(PARTITION_KEY, f"fingerprint {error}") from error
    if not isinstance(before, dict):
        raise _damaged(PARTITION_KEY, "its fingerprint is no JSON object")
    return [
        f"{name} was {before.get(name, 'unset')}, is now {current.get(name, 'unset')}"
        for name in changed(before, current)
    ]
