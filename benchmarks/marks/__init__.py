"""The marks that are no throughput: latency, the close of a large bucket, memory, the event loop.

    python -m benchmarks marks [--rounds N]

Broker, engine, feeder and reader share the machine. All of them read the same monotonic clock, so
that times of one are compared with times of another as they are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from barengine.kafka.local import LocalKafka
from benchmarks.marks import closing, latency, loop, memory
from benchmarks.marks.plan import FULL, QUICK, Plan
from benchmarks.report import Section
from benchmarks.rounds import Options


def run(kafka: LocalKafka, options: Options) -> Iterator[Section]:
    """Measure every mark once a round (with minutes as windows: once)."""
    sizes = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory(prefix="marks-") as name:
        plan = Plan(kafka.bootstrap, kafka.pid, Path(name), options.rounds, sizes)
        yield latency.section(plan)
        yield closing.section(plan)
        yield closing.chain(plan)
        yield memory.section(plan)
        yield loop.section(plan)
