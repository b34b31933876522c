"""A snapshot of effects becomes the record batches of one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from barengine.codec.records import parse_headers
from barengine.engine.snapshot import Snapshot
from barengine.kafka.output import OutRecord, built_size
from barengine.kafka.sink import OutBatch
from barengine.kernel import BarBlock, Payloads, Reject
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
        settings, lanes = self._settings, _Lanes(self._topics)
        for leaf in snapshot.leaves:
            leaf.block.encode(lanes[leaf_topic(settings, leaf.rung, leaf.kind)])
        for topic, rejects in (
            (settings.late_topic, snapshot.late),
            (settings.dead_topic, snapshot.dead),
        ):
            limit = self._topics.max_bytes[topic]
            for reject in rejects:
                lanes[topic].add(*self._fit(self._letter(reject), limit))
        snapshot.encode_state(lanes[settings.state_topic], wall_ns // NS_PER_MS)
        return self._batches(lanes)

    def live(self, block: BarBlock) -> list[OutBatch]:
        """Bars so far, for their own topic."""
        lanes = _Lanes(self._topics)
        block.encode(lanes[self._settings.live_topic])
        return self._batches(lanes)

    def _batches(self, lanes: Mapping[str, Payloads]) -> list[OutBatch]:
        return [
            OutBatch(topic, self._partition, records)
            for topic, lane in lanes.items()
            for records in lane.encoded()
        ]

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


class _Lanes(dict[str, Payloads]):
    """What goes to each topic, in few batches: the broker takes those of one partition one after
    the other."""

    def __init__(self, topics: Topics) -> None:
        super().__init__()
        self._topics = topics

    def __missing__(self, topic: str) -> Payloads:
        room = max(self._topics.max_bytes[topic] - _BATCH_HEADROOM, _BATCH_HEADROOM)
        self[topic] = lane = Payloads(room)
        return lane
