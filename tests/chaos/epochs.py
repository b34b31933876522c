"""Who wrote what, as the broker's own files say it: the proof that a zombie wrote nothing.

All owners of a partition use one transactional id, so one producer id; each fence raises its
epoch. A batch of an older epoch behind one of a newer epoch would be a zombie's.

Record batch, format 2 (KIP-98): base offset (8), length (4), leader epoch (4), magic (1), CRC (4),
attributes (2), last offset delta (4), two timestamps (16), producer id (8), producer epoch (2), ...
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from tests.broker.scene import Scene

_HEAD: Final = struct.Struct(">qi4xB4xhi16xqh")
_LENGTH_END: Final = 12  # the length counts what follows it


class Written(NamedTuple):
    """One record batch; a control batch is the end of a transaction."""

    base_offset: int
    producer_id: int
    epoch: int


def epochs(scene: Scene, data: Path) -> int:
    """Insist that no older owner wrote behind a newer one; returns how many epochs have written.

    Args:
        data: the broker's ``log.dirs``.
    """
    settings = scene.settings
    seen: set[tuple[int, int]] = set()
    for topic in (
        settings.bar_topic,
        settings.late_topic,
        settings.dead_topic,
        settings.state_topic,
    ):
        for partition in range(scene.partitions):
            written = list(_batches(data / f"{topic}-{partition}"))
            where = f"{topic}-{partition}"
            assert len({one.producer_id for one in written}) <= 1, f"{where}: two producer ids"
            for before, after in pairwise(written):
                assert before.epoch <= after.epoch, (
                    f"{where}: a zombie wrote {after} after {before}"
                )
            seen.update((partition, one.epoch) for one in written)
    return len(seen)


def _batches(folder: Path) -> Iterator[Written]:
    for segment in sorted(folder.glob("*.log")):
        content = segment.read_bytes()
        at = 0
        while at + _HEAD.size <= len(content):
            base, length, magic, _, _, producer_id, epoch = _HEAD.unpack_from(content, at)
            assert magic == 2, f"{segment}: magic {magic} at byte {at}"
            yield Written(base, producer_id, epoch)
            at += _LENGTH_END + length
