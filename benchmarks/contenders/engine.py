"""barengine itself, compiled or the pure twin: all defaults but what the load makes necessary.

It runs the product unchanged, and looks on: a timer every 5 ms tells for how long the event loop
was blocked and what its thread used of the CPU meanwhile, a count of group heartbeats how far apart
those came. It looks from the first records on, until the end is asked for.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any, Final
from unittest.mock import patch

from barengine.cli.loop import run_async
from barengine.kafka.fetch import Fetch
from barengine.kafka.source import Source
from barengine.service import app
from barengine.service.logs import configure
from barengine.settings import KERNEL_VARIABLE, load_settings

_PERIOD_S: Final = 0.005


class WatchedSource(Source):
    """The product's source, which says when the first records come and when heartbeats do."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        watch.source = self

    async def poll(self, timeout_s: float) -> list[Fetch]:
        fetches = await super().poll(timeout_s)
        if fetches:
            watch.begin()
        return fetches


class WatchedApp(app.App):
    """The product, whose tear-down is not looked at: it is no part of what is measured."""

    def stop(self, error: Exception | None = None) -> None:
        watch.ended = True
        super().stop(error)


class Watch:
    """How punctual the event loop is, while records are worked on. Times in ms."""

    def __init__(self) -> None:
        self.source: Source | None = None
        self.began = self.ended = False
        self.longest = (0.0, 0.0)
        """How late the timer was at worst, and the CPU that the loop's thread used in that gap:
        little of it says that the machine had other work, not that we held the loop."""
        self.own_ms = 0.0
        """The longest that it was late and working all the while."""
        self.beats: list[float] = []
        self._beats = 0

    def begin(self) -> None:
        """The first records are there."""
        if not self.began:
            self.began = True
            print("RUNNING", flush=True)

    def look(self, asleep: float, used: float) -> None:
        """Look again in 5 ms, until the end.

        A bare timer: a task that sleeps would cost the product a percent of its CPU.
        """
        now, cpu = time.perf_counter(), time.thread_time()
        if self.ended:
            return
        if self.began:
            late_ms, cpu_ms = (now - asleep - _PERIOD_S) * 1000, (cpu - used) * 1000
            self.longest = max(self.longest, (late_ms, cpu_ms))
            self.own_ms = max(self.own_ms, min(late_ms, cpu_ms))
        if self.source is not None and self.source.heartbeats != self._beats:
            self._beats = self.source.heartbeats
            self.beats.append(now)
        asyncio.get_running_loop().call_later(_PERIOD_S, self.look, now, cpu)

    def report(self) -> None:
        """Print what was seen."""
        late_ms, cpu_ms = self.longest
        print(f"NOTE loop_max_ms={late_ms:.1f}")
        print(f"NOTE loop_max_cpu_ms={cpu_ms:.1f}")
        print(f"NOTE loop_own_ms={self.own_ms:.1f}")
        gaps = [after - before for before, after in zip(self.beats, self.beats[1:], strict=False)]
        if gaps:
            print(f"NOTE heartbeat_gap_ms={max(gaps) * 1000:.0f}")


watch = Watch()


async def main() -> None:
    """Serve until SIGTERM, watched."""
    settings = load_settings(None, os.environ)
    configure(settings.log_level, settings.log_format)
    watch.look(time.perf_counter(), time.thread_time())
    with patch.object(app, "Source", WatchedSource), patch.object(app, "App", WatchedApp):
        await app.serve(settings, os.environ[KERNEL_VARIABLE])
    watch.report()


if __name__ == "__main__":
    run_async(main())
