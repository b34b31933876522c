"""The feeder of the marks, a process of its own: ticks at a steady rate, or a bucket at once.

It reads one specification as JSON from standard input and writes one answer to standard output.
All times in the answer are of the clock that every process of a machine shares
(``time.monotonic_ns``).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import uvloop
from aiokafka.conn import create_conn
from aiokafka.protocol.produce import ProduceRequest

from benchmarks.marks.ticks import Numbers, Universe

Closing = tuple[int, int, int, int, int]
"""Partition, broker, bucket end in ms, and when the batch was sent and acknowledged in ns."""

_TIMEOUT_MS = 10_000
_IN_FLIGHT = 4
_BURST = 4000
"""Ticks of a batch when everything is sent as fast as it goes."""


class Wire:
    """A plain connection that produces whole batches, many requests in flight, acks=all."""

    def __init__(self, conn: Any, topic: str) -> None:
        self._conn = conn
        self._topic = topic

    @classmethod
    async def open(cls, bootstrap: str, topic: str) -> Wire:
        """Connect; the broker must lead every partition of the topic."""
        host, _, port = bootstrap.partition(":")
        return cls(await create_conn(host, int(port)), topic)

    def send(self, batches: dict[int, bytes]) -> asyncio.Future[int]:
        """Send one batch to each partition; the result is when the broker's word arrived."""
        request = ProduceRequest(None, -1, _TIMEOUT_MS, [(self._topic, list(batches.items()))])
        return asyncio.ensure_future(_acknowledged(self._conn.send(request)))

    def close(self) -> None:
        self._conn.close()


async def _acknowledged(answer: Any) -> int:
    response = await answer
    now_ns = time.monotonic_ns()
    for _, partitions in response.topics:
        for partition, code, *_ in partitions:
            if code:
                raise RuntimeError(f"partition {partition} refuses ticks: error {code}")
    return now_ns


class Clocks:
    """Tells which buckets the ticks of a partition close: ``GRACE`` behind each broker's clock."""

    def __init__(self, universe: Universe, window_ms: int, grace_ms: int) -> None:
        self._universe = universe
        self._window_ms, self._grace_ms = window_ms, grace_ms
        self._through: dict[tuple[int, int], int] = {}

    def closed_by(
        self, partition: int, series: Numbers, times_ms: Numbers
    ) -> Iterator[tuple[int, int, int]]:
        """Partition, broker and end of each bucket that this batch closes first."""
        brokers = self._universe.broker_of(series)
        for broker in range(self._universe.brokers):
            mine = times_ms[brokers == broker]
            if not len(mine):
                continue
            end = (int(mine.max()) - self._grace_ms) // self._window_ms * self._window_ms
            before = self._through.get((partition, broker), end)
            if end >= before:
                self._through[partition, broker] = end
            for each in range(before + self._window_ms, end + 1, self._window_ms):
                yield partition, broker, each


async def steady(spec: dict[str, Any]) -> dict[str, Any]:
    """``rate`` ticks a second for ``seconds``, one request every ``every_ms``, stamped as they go.

    Ticks of a request are spread evenly over the time since the last one, each up to ``jitter_ms``
    earlier, so that they come a little out of order.
    """
    universe = Universe(spec["series"], spec["partitions"], spec["brokers"])
    wire = await Wire.open(spec["bootstrap"], spec["topic"])
    clocks = Clocks(universe, spec["window_ms"], spec["grace_ms"])
    rng = np.random.default_rng(spec["seed"])
    mine = [universe.of_partition(p) for p in range(universe.partitions)]
    each = spec["rate"] * spec["every_ms"] // 1000 // universe.partitions
    step_ns = spec["every_ms"] * 1_000_000
    began_ns = time.monotonic_ns()
    offset_ns = time.time_ns() - began_ns  # wall time of the stamps, free of later corrections
    waiting: list[tuple[list[tuple[int, int, int]], int, asyncio.Future[int]]] = []
    sent = late_slots = 0
    slots = spec["seconds"] * 1000 // spec["every_ms"]
    for slot in range(1, slots + 1):
        due_ns = began_ns + slot * step_ns
        late_slots += time.monotonic_ns() - due_ns > step_ns
        await asyncio.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))
        batches: dict[int, bytes] = {}
        closing: list[tuple[int, int, int]] = []
        stamps = np.linspace(due_ns - step_ns, due_ns, each, endpoint=False) + offset_ns
        for partition, series in enumerate(mine):
            chosen = rng.choice(series, each)
            jitter = rng.integers(0, spec["jitter_ms"] + 1, each)
            times_ms = (stamps // 1_000_000).astype(np.int64) - jitter
            prices = 100 + chosen * 0.1 + rng.integers(-50, 50, each) / 1000
            stamp_ms = (due_ns + offset_ns) // 1_000_000
            batches[partition] = universe.batch(chosen, times_ms, prices, stamp_ms)
            closing += clocks.closed_by(partition, chosen, times_ms)
        sent_ns = time.monotonic_ns()
        waiting.append((closing, sent_ns, wire.send(batches)))
        sent += each * universe.partitions
    closings: list[Closing] = []
    trips = []
    for closing, sent_ns, answer in waiting:
        acked_ns = await answer
        trips.append(acked_ns - sent_ns)
        closings += [(*one, sent_ns, acked_ns) for one in closing]
    wire.close()
    return {
        "closings": closings,
        "ticks": sent,
        "late_slots": late_slots,
        "ack_ms": (np.percentile(trips, [50, 99, 100]) / 1e6).tolist(),
        "wall_s": (time.monotonic_ns() - began_ns) / 1e9,
    }


async def flood(spec: dict[str, Any]) -> dict[str, Any]:
    """``ticks`` ticks over ``span_ms`` of event time from ``start_ms`` on, as fast as it goes."""
    universe = Universe(spec["series"], spec["partitions"], spec["brokers"])
    wire = await Wire.open(spec["bootstrap"], spec["topic"])
    rng = np.random.default_rng(spec["seed"])
    mine = [universe.of_partition(p) for p in range(universe.partitions)]
    rounds = spec["ticks"] // (_BURST * universe.partitions)
    times = spec["start_ms"] + np.arange(rounds * _BURST) * spec["span_ms"] // (rounds * _BURST)
    answers: list[asyncio.Future[int]] = []
    for number in range(rounds):
        batches = {}
        for partition, series in enumerate(mine):
            chosen = rng.choice(series, _BURST)
            times_ms = times[number * _BURST : (number + 1) * _BURST]
            prices = 100 + chosen * 0.1 + rng.integers(-50, 50, _BURST) / 1000
            batches[partition] = universe.batch(chosen, times_ms, prices, int(times_ms[0]))
        answers.append(wire.send(batches))
        await answers[max(0, number - _IN_FLIGHT)]
    await asyncio.gather(*answers)
    wire.close()
    return {"each": rounds * _BURST}


async def burst(spec: dict[str, Any]) -> dict[str, Any]:
    """One tick of every series for bucket ``start_ms``; then the tick of each partition that
    closes it, or (``all_close``) one of every series.

    Between the two it says ``filled`` and waits for a line on standard input.
    """
    universe = Universe(spec["series"], spec["partitions"], 1)
    wire = await Wire.open(spec["bootstrap"], spec["topic"])
    answers = []
    stamp_ms = spec["start_ms"]
    for partition in range(universe.partitions):
        series = universe.of_partition(partition)
        for ticks in _chunks(series):
            times_ms = stamp_ms + np.arange(len(ticks), dtype=np.int64) % 900
            batch = universe.batch(ticks, times_ms, 100 + ticks * 0.01, stamp_ms)
            answers.append(wire.send({partition: batch}))
    await asyncio.gather(*answers)
    _say({"filled": universe.series})
    await asyncio.to_thread(sys.stdin.readline)
    at_ms = stamp_ms + spec["window_ms"] + spec["grace_ms"]
    return await _closed(wire, universe, at_ms, every=spec["all_close"])


async def close(spec: dict[str, Any]) -> dict[str, Any]:
    """One tick of each partition at ``at_ms``."""
    universe = Universe(spec["series"], spec["partitions"], 1)
    wire = await Wire.open(spec["bootstrap"], spec["topic"])
    return await _closed(wire, universe, spec["at_ms"], every=False)


async def _closed(wire: Wire, universe: Universe, at_ms: int, *, every: bool) -> dict[str, Any]:
    """A tick of each partition's first series, or of every series; when sent and acknowledged."""
    answers = []
    sent_ns = time.monotonic_ns()
    for partition in range(universe.partitions):
        series = universe.of_partition(partition)
        for ticks in _chunks(series if every else series[:1]):
            times_ms = np.full(len(ticks), at_ms, np.int64)
            batch = universe.batch(ticks, times_ms, 100 + ticks * 0.01, at_ms)
            answers.append(wire.send({partition: batch}))
    acked_ns = max(await asyncio.gather(*answers))
    wire.close()
    return {"sent_ns": sent_ns, "acked_ns": acked_ns}


def _chunks(series: Numbers) -> list[Numbers]:
    return [series[at : at + _BURST] for at in range(0, len(series), _BURST)]


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def main() -> None:
    """Do what the first line of standard input says."""
    spec = json.loads(sys.stdin.readline())
    work = {"steady": steady, "flood": flood, "burst": burst, "close": close}[spec["what"]]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        answer = runner.run(work(spec))
    _say(answer | {"cpu_s": time.process_time()})


if __name__ == "__main__":
    main()
