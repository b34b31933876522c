"""Mark d, the longest work of all: millions of ticks that wait when the engine starts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.marks.stage import Env, Scene, until

SERIES, BROKERS = 1000, 4
_SPAN_MS = 120_000


def measure(
    bootstrap: str,
    folder: Path,
    ticks: int,
    partitions: int,
    window: str = "1s",
    env: Env = None,
) -> dict[str, Any]:
    """Fill the topic, start the engine, wait until it has read everything."""
    with Scene(
        bootstrap, partitions, folder, WINDOW=window, GRACE="1s", IDLE_TIMEOUT="off"
    ) as scene:
        start_ms = time.time_ns() // 1_000_000 // 60_000 * 60_000 - 10 * _SPAN_MS
        with scene.feeder(
            "flood",
            ticks=ticks,
            series=SERIES,
            brokers=BROKERS,
            start_ms=start_ms,
            span_ms=_SPAN_MS,
            seed=7,
        ) as feeder:
            each = feeder.answer()["each"]

        def done() -> bool:
            tasks = scene.tasks()
            return len(tasks) == partitions and all(t["position"] == each for t in tasks.values())

        began = time.monotonic()
        with scene.engine(env, ready=False) as engine:
            until("everything is read", done, engine)
            took = time.monotonic() - began
            return {"ticks": each * partitions, "took_s": took, "engine": engine.finish()}
