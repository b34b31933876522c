"""What the engine was told, as far as it decides what a bar is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from barengine.model import NS_PER_MS, Order, Period, Watermark
from barengine.settings import Settings


@dataclass(frozen=True, slots=True)
class Rules:
    """What the engine was told. Durations in ns."""

    period: Period
    grace_ns: int
    order: Order
    price_scale: int
    watermark: Watermark = Watermark.BROKER
    max_future_ns: int = 300 * 10**9
    began_ns: int | None = None
    """Wall clock before the engine began; None: quarantined ticks are believed."""
    ended_ns: int | None = None
    """Wall clock after it ended; None: ticks that were not quarantined are believed."""
    whole: bool = True
    """It began at the first record of the log, so no bar may be partial."""
    rollups: tuple[Period, ...] = ()
    continuous: tuple[Period, ...] = ()
    continuous_max_ns: int = 7 * 86_400 * 10**9
    feed_timeout_ns: int = 30 * 10**9
    horizon_ns: int | None = None
    """How far back late ticks correct bars; None: they do not."""

    @classmethod
    def of(
        cls, settings: Settings, began_ns: int | None = None, ended_ns: int | None = None
    ) -> Self:
        """The rules of an engine with these settings that sees its input from the first record
        on. Sessions, sizes and heartbeats are not looked at."""
        return cls(
            settings.period,
            settings.grace_ns,
            settings.order,
            settings.price_scale,
            settings.watermark,
            settings.max_future_ns,
            began_ns,
            ended_ns,
            rollups=settings.rollups,
            continuous=settings.continuous,
            continuous_max_ns=settings.continuous_max_ns,
            feed_timeout_ns=settings.feed_timeout_ns,
            horizon_ns=settings.correction_horizon_ns if settings.corrects else None,
        )

    @property
    def periods(self) -> Sequence[Period]:
        """The base window, then the roll-ups."""
        return (self.period, *self.rollups)

    @property
    def lengths_ms(self) -> tuple[int, ...]:
        """The length of each of them."""
        return tuple(period.length_ns // NS_PER_MS for period in self.periods)

    def fills(self, rung: int) -> bool:
        """Whether empty buckets of that period have bars."""
        return self.periods[rung].length_ns in {one.length_ns for one in self.continuous}
