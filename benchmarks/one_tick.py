"""One tick on its way from a fetch into its window, without a broker: CRC, lz4, kernel."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from google_crc32c import value as crc32c

from barengine.kafka.batches import read_batches
from barengine.kafka.output import PrebuiltBatch
from barengine.kernel import ATTRIBUTES_AT, Kernel, RecordBatch, part_of
from barengine.service.memory import keep_freed_memory
from benchmarks.encode import batches
from benchmarks.load import Load
from benchmarks.marking import at_most
from benchmarks.micro.ticks import feed, made
from benchmarks.report import Section, spread
from benchmarks.rounds import Options
from benchmarks.ticks import chunks

LOAD: Final = Load(5_000_000)
"""The comparison's. The first of its four partitions is worked on, all of it in memory."""

ROUNDS: Final = 9
MARK_NS: Final = 100.0
AIM_NS: Final = 60.0


def run(options: Options) -> Iterator[Section]:
    """Measure the parts alone, and all of them batch by batch."""
    keep_freed_memory()  # as the service does, or each payload would pay for fresh pages
    load = options.fit(LOAD)
    wire = _wire(load)
    ready = [batch for data in wire for batch in _read(data)]
    count = sum(batch.records for batch in ready)
    parts: dict[str, Callable[[], object]] = {
        "CRC-32C": lambda: [crc32c(part_of(one, ATTRIBUTES_AT, len(one))) for one in wire],
        "CRC-32C and lz4": lambda: sum(b.records for data in wire for b in _read(data)),
        "kernel: decode, aggregate, close": lambda: _work(ready),
        "all of it, batch by batch": lambda: _work(b for data in wire for b in _read(data)),
    }
    times = {name: _timed(work, count) for name, work in parts.items()}
    whole = statistics.median(times["all of it, batch by batch"])
    yield Section(
        "One tick",
        f"{count:,} ticks of the comparison's load, one partition in batches of "
        f"{load.batch_records:,}, from the bytes of a fetch to final bars; one thread, no broker, "
        f"no Python object for a tick. CPU time, medians of {ROUNDS} rounds with the smallest and "
        "largest.",
        ("what", "ns a tick"),
        [(name, spread(found, _ns)) for name, found in times.items()],
        [
            at_most("kernel and decompression, ns a tick", whole, MARK_NS, _ns),
            at_most("the aim, ns a tick", whole, AIM_NS, _ns),
        ],
    )


def _wire(load: Load) -> list[bytes]:
    """The batches of the first partition, as a fetch brings them."""
    return [
        PrebuiltBatch(encoded, load.codec, transactional=False)._build()
        for chunk in chunks(load, 0)
        for encoded in batches(load, chunk)
    ]


def _read(data: bytes) -> Iterator[RecordBatch]:
    return (one.batch for one in read_batches(data, (), 0) if one.batch is not None)


def _work(ready: Sequence[RecordBatch] | Iterator[RecordBatch]) -> Kernel:
    kernel = made("compiled")
    feed(kernel, ready)
    return kernel


def _timed(work: Callable[[], object], count: int) -> list[float]:
    """CPU ns of this thread for each tick: the machine's other work does not count."""
    work()
    found = []
    for _ in range(ROUNDS):
        began = time.thread_time_ns()
        work()
        found.append((time.thread_time_ns() - began) / count)
    return found


def _ns(value: float) -> str:
    return f"{value:.1f}"
