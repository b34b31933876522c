"""Marks b and c: what it takes until 100 000 bars of one bucket are readable, and what an open
window costs in memory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.marks.stage import Env, Scene, until

WINDOW_MS = 60_000
GRACE_MS = 1000
_SETTINGS = {"WINDOW": "1m", "GRACE": f"{GRACE_MS}ms", "IDLE_TIMEOUT": "off"}
_SETTLE_S = 1.0


def close(
    bootstrap: str,
    folder: Path,
    series: int,
    partitions: int,
    watermark: str = "broker",
    env: Env = None,
) -> dict[str, Any]:
    """Open a window of every series, close them all by one tick a partition, read every bar."""
    scene = Scene(bootstrap, partitions, folder, WATERMARK=watermark, **_SETTINGS)
    start_ms = time.time_ns() // 1_000_000 // WINDOW_MS * WINDOW_MS - 10 * WINDOW_MS
    with scene.engine(env) as engine:
        time.sleep(_SETTLE_S)
        empty = engine.rss()
        with (
            scene.reader(expected=series) as reader,
            scene.feeder(
                "burst",
                series=series,
                start_ms=start_ms,
                window_ms=WINDOW_MS,
                grace_ms=GRACE_MS,
                all_close=watermark == "series",
            ) as feeder,
        ):
            feeder.answer()
            scene.until_open(engine, series)
            time.sleep(_SETTLE_S)
            full = engine.rss()
            feeder.say()
            fed = feeder.answer()
            read = reader.answer()
        time.sleep(_SETTLE_S)
        report = engine.finish()
    last_ns = max(at for *_, at in read["buckets"])
    return {
        "acked_ms": (last_ns - fed["acked_ns"]) / 1e6,
        "sent_ms": (last_ns - fed["sent_ns"]) / 1e6,
        "bytes_per_window": (full - empty) / series,
        "engine": report,
    }


def memory(bootstrap: str, folder: Path, sizes: tuple[int, ...], partitions: int = 8) -> list[int]:
    """Resident bytes of the whole process: without a window, then with so many open ones."""
    scene = Scene(bootstrap, partitions, folder, WATERMARK="broker", **_SETTINGS)
    start_ms = time.time_ns() // 1_000_000 // WINDOW_MS * WINDOW_MS - 10 * WINDOW_MS
    found = []
    with scene.engine() as engine:
        time.sleep(_SETTLE_S)
        found.append(engine.rss())
        for size in sizes:
            with scene.feeder(
                "burst",
                series=size,
                start_ms=start_ms,
                window_ms=WINDOW_MS,
                grace_ms=GRACE_MS,
                all_close=False,
            ) as feeder:
                feeder.answer()
            scene.until_open(engine, size)
            time.sleep(_SETTLE_S)
            found.append(engine.rss())
    return found


def recovery(
    bootstrap: str,
    folder: Path,
    series: int,
    partitions: int,
    rounds: int,
    env: Env = None,
) -> dict[str, Any]:
    """An engine that comes back to a state record for each series, ``rounds`` versions of each."""
    scene = Scene(bootstrap, partitions, folder, WATERMARK="series", **_SETTINGS)
    start_ms = time.time_ns() // 1_000_000 // WINDOW_MS * WINDOW_MS - 100 * WINDOW_MS
    reports = []
    with scene.engine(env) as engine:
        for number in range(rounds):
            with (
                scene.reader(expected=series) as reader,
                scene.feeder(
                    "burst",
                    series=series,
                    start_ms=start_ms + 2 * number * WINDOW_MS,
                    window_ms=WINDOW_MS,
                    grace_ms=GRACE_MS,
                    all_close=True,
                ) as feeder,
            ):
                feeder.answer()
                feeder.say()
                feeder.answer()
                reader.answer()
        reports.append(engine.finish())
    began = time.monotonic()
    with scene.engine(env, ready=False) as engine:
        until("recovered", lambda: len(scene.tasks()) == partitions, engine)
        took = time.monotonic() - began
        time.sleep(_SETTLE_S)
        reports.append(engine.finish())
    return {"took_s": took, "before": reports[0], "engine": reports[1]}
