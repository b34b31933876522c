"""Mark a: from the broker's word for the tick that closes a bucket until its bars are readable."""

from __future__ import annotations

import time
from typing import Any

import psutil

from benchmarks.marks.stage import Env, Scene

SERIES, PARTITIONS, BROKERS = 1000, 4, 4
RATE = 200_000
EVERY_MS = 5
GRACE_MS = 100
JITTER_MS = 20
_WARM_UP = 3
"""Buckets at the beginning that do not count: connections, caches, the broker's compiler. Where
there are few, the first one alone: the marker of a new partition's first transaction makes the
broker write to new pages of two index files, and the file system may keep it waiting for that."""


def latencies(feed: dict[str, Any], read: dict[str, Any], window_ms: int) -> dict[str, Any]:
    """Milliseconds from sent, and from acknowledged, to readable; per partition and broker."""
    came = {(p, broker, start): (count, at) for p, broker, start, count, at in read["buckets"]}
    sent, acked, missing = [], [], 0
    ends = sorted({end for _, _, end, _, _ in feed["closings"]})
    counted = set(ends[_WARM_UP if len(ends) > 2 * _WARM_UP else 1 :])
    for partition, broker, end, sent_ns, acked_ns in feed["closings"]:
        found = came.get((partition, f"B{broker}", end - window_ms))
        if end not in counted:
            continue
        if found is None:
            missing += 1
            continue
        sent.append((found[1] - sent_ns) / 1e6)
        acked.append((found[1] - acked_ns) / 1e6)
    return {"sent": sent, "acked": acked, "missing": missing}


def measure(
    bootstrap: str,
    broker_pid: int,
    folder: Any,
    window: str,
    seconds: int,
    env: Env = None,
) -> dict[str, Any]:
    """One run."""
    window_ms = {"1s": 1000, "1m": 60_000}[window]
    broker = psutil.Process(broker_pid)
    with (
        Scene(bootstrap, PARTITIONS, folder, WINDOW=window, GRACE=f"{GRACE_MS}ms") as scene,
        scene.engine(env) as engine,
        scene.reader() as reader,
    ):
        before = engine.cpu_s(), _cpu(broker), _cpu_of_all()
        began = time.monotonic()
        with scene.feeder(
            "steady",
            series=SERIES,
            brokers=BROKERS,
            rate=RATE,
            seconds=seconds,
            every_ms=EVERY_MS,
            window_ms=window_ms,
            grace_ms=GRACE_MS,
            jitter_ms=JITTER_MS,
            seed=7,
        ) as feeder:
            fed = feeder.answer()
        wall = time.monotonic() - began
        time.sleep(0.5)
        cpu = engine.cpu_s() - before[0], _cpu(broker) - before[1]
        everything = _cpu_of_all() - before[2]
        reader.say()
        read = reader.answer()
        report = engine.finish()
    return {
        **latencies(fed, read, window_ms),
        "cpu": {
            "engine": cpu[0] / wall,
            "broker": cpu[1] / wall,
            "feeder": fed["cpu_s"] / wall,
            "reader": read["cpu_s"] / wall,
            "others": (everything - sum(cpu) - fed["cpu_s"] - read["cpu_s"]) / wall,
        },
        "feed": {key: fed[key] for key in ("ticks", "late_slots", "ack_ms", "wall_s")},
        "engine": report,
    }


def _cpu_of_all() -> float:
    """CPU seconds of the whole machine, what a hypervisor kept from it included."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
