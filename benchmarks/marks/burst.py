"""Marks b and c: what it takes until 100 000 bars of one bucket are readable, and what an open
window costs in memory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from benchmarks.marks.stage import Child, Env, Scene, until

WINDOW_MS: Final = 60_000
DAY_MS: Final = 86_400_000
GRACE_MS: Final = 1000
CHAIN_PARTITIONS: Final = 4
_SECOND_MS: Final = 1000
_SETTINGS: Final = {"WINDOW": "1m", "GRACE": f"{GRACE_MS}ms", "IDLE_TIMEOUT": "off"}
_SETTLE_S: Final = 1.0


def close(
    bootstrap: str,
    folder: Path,
    series: int,
    partitions: int,
    watermark: str = "broker",
    env: Env = None,
) -> dict[str, Any]:
    """Open a window of every series, close them all by one tick a partition, read every bar."""
    start_ms = _ago(10)
    with (
        Scene(bootstrap, partitions, folder, WATERMARK=watermark, **_SETTINGS) as scene,
        scene.engine(env) as engine,
    ):
        time.sleep(_SETTLE_S)
        times = _close(scene, engine, series, start_ms, all_close=watermark == "series")
        time.sleep(_SETTLE_S)
        return times | {"engine": engine.finish()}


def fill(bootstrap: str, folder: Path, series: int, partitions: int) -> dict[str, Any]:
    """The bucket behind one in which every series had a tick: closed, it is of flat bars."""
    start_ms = _ago(10)
    with (
        Scene(bootstrap, partitions, folder, CONTINUOUS="1m", **_SETTINGS) as scene,
        scene.engine() as engine,
    ):
        _close(scene, engine, series, start_ms)
        time.sleep(_SETTLE_S)
        at_ms = start_ms + 2 * WINDOW_MS + GRACE_MS
        with (
            scene.reader(expected=series) as reader,
            scene.feeder("close", series=series, at_ms=at_ms) as feeder,
        ):
            times = _times(feeder.answer(), reader.answer())
        time.sleep(_SETTLE_S)
        return times | {"engine": engine.finish()}


def chain(bootstrap: str, folder: Path, series: int, periods: tuple[str, ...]) -> dict[str, Any]:
    """The last second of a day and every period that ends with it, closed by the same tick.

    The day before ends in the same way first, uncounted: the marker of a new partition's first
    transaction makes the broker write to new pages of two index files, one after the other for all
    partitions of a transaction, and the file system kept it up to 50 ms for each.
    """
    window, *rollups = periods
    settings = {**_SETTINGS, "WINDOW": window}
    if rollups:
        settings["ROLLUPS"] = ",".join(rollups)
    start_ms = time.time_ns() // 1_000_000 // DAY_MS * DAY_MS - _SECOND_MS
    with (
        Scene(bootstrap, CHAIN_PARTITIONS, folder, **settings) as scene,
        scene.engine() as engine,
    ):
        _close(scene, engine, series, start_ms - DAY_MS, window_ms=_SECOND_MS)
        time.sleep(_SETTLE_S)
        # the closing tick of each partition has opened bars that the next day's first tick closes
        opened = CHAIN_PARTITIONS * sum(period != "1d" for period in periods)
        times = _close(scene, engine, series, start_ms, window_ms=_SECOND_MS, more=opened)
        time.sleep(_SETTLE_S)
        return times | {"engine": engine.finish()}


def memory(bootstrap: str, folder: Path, sizes: tuple[int, ...], partitions: int = 8) -> list[int]:
    """Resident bytes of the whole process: without a window, then with so many open ones."""
    start_ms = _ago(10)
    found = []
    with (
        Scene(bootstrap, partitions, folder, WATERMARK="broker", **_SETTINGS) as scene,
        scene.engine() as engine,
    ):
        time.sleep(_SETTLE_S)
        found.append(engine.rss())
        for size in sizes:
            with _burst(scene, size, start_ms) as feeder:
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
    with Scene(bootstrap, partitions, folder, WATERMARK="series", **_SETTINGS) as scene:
        start_ms = _ago(100)
        reports = []
        with scene.engine(env) as engine:
            for number in range(rounds):
                at_ms = start_ms + 2 * number * WINDOW_MS
                with (
                    scene.reader(expected=series) as reader,
                    _burst(scene, series, at_ms, all_close=True) as feeder,
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


def _ago(windows: int) -> int:
    """The start of a window so long ago, in ms."""
    return time.time_ns() // 1_000_000 // WINDOW_MS * WINDOW_MS - windows * WINDOW_MS


def _close(
    scene: Scene,
    engine: Child,
    series: int,
    start_ms: int,
    *,
    window_ms: int = WINDOW_MS,
    all_close: bool = False,
    more: int = 0,
) -> dict[str, float]:
    """Open a window of every series, close all, read the bars of every period, and some more."""
    with (
        scene.reader(expected=series * len(scene.bar_topics) + more) as reader,
        _burst(scene, series, start_ms, window_ms=window_ms, all_close=all_close) as feeder,
    ):
        feeder.answer()
        scene.until_open(engine, series)
        time.sleep(_SETTLE_S)
        feeder.say()
        return _times(feeder.answer(), reader.answer())


def _burst(
    scene: Scene,
    series: int,
    start_ms: int,
    *,
    window_ms: int = WINDOW_MS,
    all_close: bool = False,
) -> Child:
    return scene.feeder(
        "burst",
        series=series,
        start_ms=start_ms,
        window_ms=window_ms,
        grace_ms=GRACE_MS,
        all_close=all_close,
    )


def _times(fed: dict[str, Any], read: dict[str, Any]) -> dict[str, float]:
    last_ns = max(at for *_, at in read["buckets"])
    return {
        "acked_ms": (last_ns - fed["acked_ns"]) / 1e6,
        "sent_ms": (last_ns - fed["sent_ns"]) / 1e6,
    }
