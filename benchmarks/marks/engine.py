"""The engine under watch, a process of its own: ``barengine run`` and what holds its event loop.

Settings come from the environment, as for ``barengine run``. At the end one line of JSON goes to
standard output. ``MARKS_STACKS=1`` samples the stack of the loop's thread while it is held, which
costs some speed.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import sys
import threading
import time
from collections import Counter
from types import FrameType
from typing import Any

from barengine.cli.loop import run_async
from barengine.cli.run import chosen_kernel
from barengine.kafka.source import Source
from barengine.service.app import serve
from barengine.service.logs import configure
from barengine.settings import load_settings

_EVERY_S = 0.005
_HELD_S = 0.02
"""A timer so much late is worth a line; the mark is 50 ms."""

_SAMPLE_S = 0.002
_FRAMES = 12


class Watch:
    """A 5 ms timer on the loop, and the collector's pauses and the group's heartbeats beside it."""

    def __init__(self, stacks: bool) -> None:
        self.latest_ms = 0.0
        self.held: list[tuple[float, float, float]] = []
        """When the timer was late, by how much, and how much CPU the thread used meanwhile (ms):
        little of it says that the machine had other work, not that we held the loop."""
        self.collections: list[tuple[float, int, float]] = []
        self.heartbeats: list[float] = []
        self.samples: Counter[str] = Counter()
        self._thread = threading.get_ident()
        self._last = self._cpu = 0.0
        self._collecting = 0.0
        self._stacks = stacks

    def start(self) -> None:
        """Begin, on the loop that is running."""
        self._loop = asyncio.get_running_loop()
        self._last, self._cpu = time.monotonic(), time.thread_time()
        self._loop.call_later(_EVERY_S, self._tick)
        gc.callbacks.append(self._collected)
        if self._stacks:
            threading.Thread(target=self._sample, daemon=True).start()

    def _tick(self) -> None:
        now, cpu = time.monotonic(), time.thread_time()
        late = now - self._last - _EVERY_S
        if late > _HELD_S:
            self.held.append((now, 1000 * late, 1000 * (cpu - self._cpu)))
        self.latest_ms = max(self.latest_ms, 1000 * late)
        self._last, self._cpu = now, cpu
        self._loop.call_later(_EVERY_S, self._tick)

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = time.monotonic()
        else:
            took = time.monotonic() - self._collecting
            if took > _EVERY_S:
                self.collections.append((self._collecting, info["generation"], 1000 * took))

    def _sample(self) -> None:
        while True:
            time.sleep(_SAMPLE_S)
            if time.monotonic() - self._last > _EVERY_S + _HELD_S / 2:
                frame = sys._current_frames().get(self._thread)
                self.samples[_told(frame)] += 1

    def report(self) -> dict[str, Any]:
        """All of it, for JSON."""
        beats = self.heartbeats
        gaps = [after - before for before, after in itertools.pairwise(beats)]
        return {
            "latest_ms": self.latest_ms,
            "held": self.held,
            "collections": self.collections,
            "heartbeats": len(beats),
            "heartbeat_gap_s": max(gaps, default=0.0),
            "samples": self.samples.most_common(40),
        }


def _told(frame: FrameType | None) -> str:
    parts: list[str] = []
    while frame is not None and len(parts) < _FRAMES:
        code = frame.f_code
        folder = os.path.basename(os.path.dirname(code.co_filename))
        parts.append(
            f"{folder}/{os.path.basename(code.co_filename)}:{code.co_name}:{frame.f_lineno}"
        )
        frame = frame.f_back
    return " < ".join(parts)


def count_heartbeats(watch: Watch) -> None:
    """Note the time of each heartbeat that the group has answered."""
    counted = Source._heartbeat

    def heartbeat(source: Source) -> None:
        watch.heartbeats.append(time.monotonic())
        counted(source)

    Source._heartbeat = heartbeat  # type: ignore[method-assign,assignment]


async def _serve(watch: Watch) -> None:
    watch.start()
    await serve(load_settings(None, os.environ), chosen_kernel(os.environ))


def main() -> None:
    """Serve until SIGTERM, then tell."""
    settings = load_settings(None, os.environ)
    configure(settings.log_level, settings.log_format)
    watch = Watch(os.environ.get("MARKS_STACKS") == "1")
    count_heartbeats(watch)
    try:
        run_async(_serve(watch))
    finally:
        print(json.dumps(watch.report() | {"cpu_s": time.process_time()}), flush=True)


if __name__ == "__main__":
    main()
