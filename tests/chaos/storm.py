"""The frame of the chaos suite: an engine under load, faults, an independent verdict, a table row.

    def test_broker_is_killed_at_random(chaos: Chaos) -> None:
        with LocalKafka() as broker, chaos.storm("broker kill -9", broker.bootstrap) as storm:
            for _ in range(chaos.pick(short=2, full=20)):
                storm.calm(0.5, 5.0)
                storm.inject("kill -9", broker.kill)
                broker.start()
            storm.finish()

``chaos`` is a fixture. ``chaos.pick`` chooses between the short form (``make test``) and the full
one (``--chaos=full``, ``make chaos``); a test marked ``@pytest.mark.full`` runs in the full form
only. ``chaos.chance`` is a ``random.Random``, the only source of decisions: ``CHAOS_SEED=n``
repeats them. The ticks come from the same seed.

``chaos.storm(fault, bootstrap, ...)`` gives, inside ``with``:

- ``storm.scene``: context, topics and the verdict (tests/broker/scene.py). Its clients go to
  ``bootstrap``. For an engine that goes another way (a proxy) pass
  ``settings={"BOOTSTRAP_SERVERS": ...}``: the settings of the engines alone;
- ``storm.fleet``: ``engines=1`` engines that cover all partitions (tests/chaos/fleet.py);
- ``storm.feed``: sends ``rate`` ticks a second, late and bad ones among them, until
  ``storm.finish`` (tests/chaos/feed.py). It begins when the fleet runs, with ``engines=0`` at once;
- ``storm.watch``: notes when bars become readable (tests/chaos/watch.py);
- ``storm.inject(name, action, *arguments)``: counts one fault, does it and returns what it
  returns; without an action it only counts;
- ``storm.calm(shortest, longest)``: lets the engines work for a random time, and insists that none
  has ended by itself (``storm.pause`` does not insist);
- ``storm.finish()``: ends the feed, waits for the last bar, ends the engines by SIGTERM and insists
  on exit code 0, that every bar and letter is exact, no key there twice, each tick in a bar or a
  letter, and none late by accident. Every storm must be finished.

The row of the table is written by itself, for a test that fails as well. A test without a storm
writes its own: ``chaos.add(fault, times, report)``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from barengine.demo.report import Report
from barengine.model import NS_PER_S
from tests.broker.scene import Scene, accept
from tests.chaos.feed import Feed, Mix
from tests.chaos.fleet import Fleet
from tests.chaos.table import Row
from tests.chaos.verdict import SETTINGS, accounted, all_arrived
from tests.chaos.watch import Watch

PARTITIONS: Final = 4
RATE: Final = 10_000
_REASON: Final = 60
"""Characters of a failure's first line that fit into the table."""

T = TypeVar("T")


class Chaos:
    """What a test needs besides its fault: form, dice, storms, and the table."""

    def __init__(
        self, full: bool, seed: int, bootstrap: Callable[[], str], folder: Path, rows: list[Row]
    ) -> None:
        self.full = full
        self.seed = seed
        self.chance = random.Random(seed)
        self._bootstrap = bootstrap
        self._folder = folder
        self._rows = rows

    def pick(self, *, short: T, full: T) -> T:
        """One or the other, depending on the form of the run."""
        return full if self.full else short

    def storm(
        self,
        fault: str,
        bootstrap: str | None = None,
        *,
        engines: int = 1,
        static: bool = False,
        partitions: int = PARTITIONS,
        rate: int = RATE,
        settings: Mapping[str, str] | None = None,
        config: Mapping[str, str] | None = None,
        mix: Mix | None = None,
        check: Callable[[Scene], Report] | None = None,
    ) -> Storm:
        """A new context under load, to be used as a context manager.

        Args:
            bootstrap: None: the broker that all tests share, which nobody harms.
            engines: started, and waited for, before the first tick.
            settings: for the engines, over those of tests/chaos/verdict.py.
            config: of the input topic.
            mix: what is sent; None: as tests/chaos/feed.py has it.
            check: the verdict, where the scene's own does not know all of the settings.
        """
        given = SETTINGS | dict(settings or {})
        scene = Scene(
            bootstrap or self._bootstrap(), self._folder, partitions, given, dict(config or {})
        )
        feed = Feed(
            scene.bootstrap,
            scene.settings.input_topic,
            partitions,
            rate,
            random.Random(f"{self.seed} {fault}"),
            mix or Mix(),
        )
        fleet = Fleet(scene, static=static)
        return Storm(
            self, fault, scene, fleet, feed, engines, check, broker_lives=bootstrap is None
        )

    def add(
        self,
        fault: str,
        times: int,
        report: Report | None,
        stall_s: float | None = None,
        failure: str = "",
    ) -> None:
        """Write a row of the table."""
        self._rows.append(Row(fault, times, report, stall_s, self.seed, failure))


class Storm:
    """One context under load; see the top of this file."""

    def __init__(
        self,
        chaos: Chaos,
        fault: str,
        scene: Scene,
        fleet: Fleet,
        feed: Feed,
        engines: int,
        check: Callable[[Scene], Report] | None,
        *,
        broker_lives: bool,
    ) -> None:
        self.fault = fault
        self.scene = scene
        self.fleet = fleet
        self.feed = feed
        settings = scene.settings
        due_after_s = (settings.period.length_ns + settings.grace_ns) / NS_PER_S
        self.watch = Watch(scene.bootstrap, settings.bar_topic, due_after_s)
        self.injected: list[tuple[float, str]] = []
        """Seconds since the storm began, and the fault's name."""
        self.report: Report | None = None
        self._chaos = chaos
        self._engines = engines
        self._check = check
        self._broker_lives = broker_lives
        self._finished = False
        self._stack = ExitStack()
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        try:
            self._enter()
        except BaseException as error:
            self._leave(error)
            raise
        self._began = time.monotonic()
        return self

    def _enter(self) -> None:
        self._stack.enter_context(self.fleet)
        self._stack.enter_context(self.watch)
        for _ in range(self._engines):
            self.fleet.start()
        if self._engines:
            self.fleet.until_covered()
        self._stack.enter_context(self.feed)
        self.watch.feed_began()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and not self._finished:
            error = AssertionError("storm.finish() was not called")
        self._leave(error)
        if error is not None and kind is None:
            raise error

    def _leave(self, error: BaseException | None) -> None:
        """Write the row and end everything."""
        failure = "" if error is None else (str(error) or repr(error)).splitlines()[0][:_REASON]
        stall_s = self.watch.stall_s
        self._chaos.add(self.fault, len(self.injected), self.report, stall_s, failure)
        try:
            if error is not None:
                self._tell(error)
        finally:
            self._stack.close()

    def _tell(self, error: BaseException) -> None:
        """What pytest shows beside the failure."""
        print(f"{self.fault}, seed {self._chaos.seed}: {error!r}")  # noqa: T201
        for at_s, name in self.injected:
            print(f"  {at_s:7.2f} s {name}")  # noqa: T201
        for tail in self.fleet.tails():
            print(tail)  # noqa: T201

    # -- faults ----------------------------------------------------------------------------

    def inject(self, name: str, action: Callable[..., Any] | None = None, *arguments: Any) -> Any:
        """Count a fault, do it and return what it returns."""
        self.injected.append((time.monotonic() - self._began, name))
        return None if action is None else action(*arguments)

    def pause(self, shortest_s: float, longest_s: float) -> None:
        """Let a random time go by."""
        time.sleep(self._chaos.chance.uniform(shortest_s, longest_s))

    def calm(self, shortest_s: float, longest_s: float) -> None:
        """Let a random time go by in which no engine may end."""
        self.pause(shortest_s, longest_s)
        self.fleet.check()

    # -- the verdict -----------------------------------------------------------------------

    def finish(self) -> Report:
        """End the feed and the engines, and insist on a right result."""
        ticks = self.feed.stop()
        self.watch.feed_ended()
        self.fleet.check()
        engines = self.fleet.engines
        try:
            self.scene.until_idle(*engines.values())
            for number in list(engines):
                self.fleet.leave(number)
        finally:
            self.watch.stop()
            self.report = (self._check or Scene.report)(self.scene)
        self._finished = True
        accept(self.report, late=None, dead=None)
        all_arrived(self.report, ticks, broker_lives=self._broker_lives)
        if self._check is None:
            accounted(self.scene, self.report)
        return self.report
