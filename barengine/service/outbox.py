"""A snapshot of effects becomes the record batches of one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from barengine.codec.records import parse_headers
from barengine.engine.partition import Snapshot
from barengine.engine.state import StateRecord
from barengine.kafka.output import OutRecord, build_records, built_size
from barengine.kafka.sink import OutBatch
from barengine.kernel import BarBlock, Leaf, Reject
from barengine.model import NS_PER_MS
from barengine.service.topics import Topics
from barengine.service.wiring import leaf_topic
from barengine.settings import Settings

_BATCH_HEADROOM: Final = 4096
"""Batches stay this far below max.message.bytes: batch header, and codecs that grow data."""


class Outbox:
    """Builds output batches for one input partition; every topic gets its number."""

    def __init__(self, settings: Settings, topics: Topics, partition: int) -> None:
        self._settings = settings
        self._topics = topics
        self._partition = partition

    def batches(self, snapshot: Snapshot, wall_ns: int) -> list[OutBatch]:
        """Everything that one transaction must carry, the state last."""
        settings, wall_ms = self._settings, wall_ns // NS_PER_MS
        room = self._room(settings.state_topic)
        series = snapshot.series.encode(room, wall_ms)
        pages = [] if snapshot.pages is None else snapshot.pages.encode(room, wall_ms)
        return [
            *self._bars(snapshot.leaves),
            *self._letters(settings.late_topic, snapshot.late),
            *self._letters(settings.dead_topic, snapshot.dead),
            *self._state(snapshot.tombstones, wall_ms),
            *(OutBatch(settings.state_topic, self._partition, records) for records in series),
            *(OutBatch(settings.state_topic, self._partition, records) for records in pages),
            *self._state(snapshot.windows.records(), wall_ms),
            *self._state(snapshot.state, wall_ms),
        ]

    def live(self, block: BarBlock) -> list[OutBatch]:
        """Bars so far, for their own topic."""
        topic = self._settings.live_topic
        payloads = block.encode(self._room(topic))
        return [OutBatch(topic, self._partition, records) for records in payloads]

    def _bars(self, leaves: Sequence[Leaf]) -> Iterator[OutBatch]:
        for leaf in leaves:
            topic = leaf_topic(self._settings, leaf.rung, leaf.kind)
            for records in leaf.block.encode(self._room(topic)):
                yield OutBatch(topic, self._partition, records)

    def _state(self, records: Sequence[StateRecord], wall_ms: int) -> list[OutBatch]:
        out = (OutRecord(key, value, (), wall_ms) for key, value in records)
        return self._pack(self._settings.state_topic, out)

    def _room(self, topic: str) -> int:
        return max(self._topics.max_bytes[topic] - _BATCH_HEADROOM, _BATCH_HEADROOM)

    def _pack(self, topic: str, records: Iterable[OutRecord]) -> list[OutBatch]:
        packed = build_records(records, self._room(topic))
        return [OutBatch(topic, self._partition, batch) for batch in packed]

    def _letters(self, topic: str, rejects: Sequence[Reject]) -> list[OutBatch]:
        limit = self._topics.max_bytes[topic]
        return self._pack(topic, (self._fit(self._letter(one), limit) for one in rejects))

    def _letter(self, reject: Reject) -> OutRecord:
        """The input record untouched, with headers that say what became of it."""
        headers = [
            ("reason", reject.reason.label.encode()),
            ("source_topic", self._settings.input_topic.encode()),
            ("source_partition", b"%d" % self._partition),
            ("source_offset", b"%d" % reject.offset),
        ]
        if reject.reason.late:
            end_ns = reject.bucket_start_ns + self._settings.period.length_ns
            headers += [
                ("bucket_start", b"%d" % (reject.bucket_start_ns // NS_PER_MS)),
                ("bucket_end", b"%d" % (end_ns // NS_PER_MS)),
                ("lateness_ms", b"%d" % (reject.lateness_ns // NS_PER_MS)),
            ]
        original = parse_headers(reject.headers)
        return OutRecord(reject.key, reject.value, (*headers, *original), reject.time_ms)

    def _fit(self, record: OutRecord, limit: int) -> OutRecord:
        """Cut a record only if the broker would refuse its batch even compressed."""
        if built_size(record) <= limit - _BATCH_HEADROOM:
            return record
        if built_size(record, self._settings.compression) <= limit:
            return record
        size = len(record.value or b"")
        marked = record._replace(headers=(("truncated", b"%d" % size), *record.headers))
        excess = built_size(marked) - (limit - _BATCH_HEADROOM)
        value = (marked.value or b"")[: max(0, size - excess)]
        marked = marked._replace(value=value)
        excess = built_size(marked) - (limit - _BATCH_HEADROOM)
        if excess > 0:  # a key as large as the topic allows: cut it, the offset leads back to it
            key = marked.key or b""
            marked = marked._replace(key=key[: max(0, len(key) - excess)])
        return marked
