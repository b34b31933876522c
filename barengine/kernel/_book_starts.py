"""Since when a book has seen each broker, and what it has missed while settings were others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from barengine.kernel._book import BookConfig, BookStart
from barengine.kernel._protocol import BrokerState, SeriesState
from barengine.model import NEVER


class Starts:
    """The BookStart of every broker, for both books."""

    def __init__(self, config: BookConfig) -> None:
        self._horizon = -1 if config.horizon_ns is None else config.horizon_ns
        self._periods = [rung.period.name for rung in config.rungs[1:]]
        self._known: dict[str, BookStart] = {}
        self._changed: list[BookStart] = []
        self._missed: dict[str, tuple[bool, set[str]]] = {}

    def __getitem__(self, broker: str) -> BookStart:
        return self._known[broker]

    def load(
        self,
        brokers: Sequence[BrokerState],
        series: Sequence[SeriesState],
        stored: Sequence[BookStart],
    ) -> None:
        """Compare what was stored with what is asked for now."""
        reached = {one.broker: one.closed_through_ns for one in brokers}
        for one in series:
            reached[one.broker] = max(reached.get(one.broker, NEVER), one.closed_through_ns)
        known = {start.broker: start for start in stored}
        for name, closed in reached.items():
            before = known.get(name, BookStart(name, -1, NEVER, {}))
            now = self._start(before, closed)
            self._missed[name] = (
                now.horizon_ns > before.horizon_ns,
                now.begins.keys() - before.begins.keys(),
            )
            self._put(now, new=now != known.get(name))

    def heed(self, brokers: Iterable[str]) -> list[str]:
        """Begin with the brokers that are new; returns them."""
        new = [name for name in brokers if name not in self._known]
        for name in new:
            self._put(self._start(BookStart(name, self._horizon, NEVER, {}), NEVER), new=True)
        return new

    def take(self) -> list[BookStart]:
        """Those that are new or changed since the last call."""
        changed, self._changed = self._changed, []
        return changed

    def missed(self, broker: str) -> tuple[bool, set[str]]:
        """What was left behind when settings were others for a while, and is not whole: kept
        bars, and open bars of these periods."""
        return self._missed.get(broker, (False, set()))

    def _put(self, start: BookStart, *, new: bool) -> None:
        self._known[start.broker] = start
        if new:
            self._changed.append(start)

    def _start(self, before: BookStart, closed: int) -> BookStart:
        """What it is from now on, where ``closed`` is closed already."""
        return BookStart(
            before.broker,
            self._horizon,
            closed if self._horizon > before.horizon_ns else before.since_ns,
            {period: before.begins.get(period, closed) for period in self._periods},
        )
