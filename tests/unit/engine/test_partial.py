"""Which bars are partial: those of which the engine may not have seen every tick.

Time-lines: digits are prices, at the second after noon below them; | ends a bucket, # is a
restart.
"""

from __future__ import annotations

import pytest

from barengine.kernel import Kernel
from barengine.model import Watermark
from tests.unit.engine.market import Market
from tests.unit.kernel.build import NOON_MS

every_watermark = pytest.mark.parametrize("watermark", Watermark)


def _partial(market: Market) -> list[tuple[str, int, bool]]:
    """Commit, and tell broker, start in seconds after noon and partial flag of every bar."""
    return [
        (bar.series[0], (bar.bucket_ms - NOON_MS) // 1000, bar.row["partial"])
        for bar in market.records
    ]


@every_watermark
def test_whole_bars_from_the_beginning_of_the_log(
    kernel: type[Kernel], watermark: Watermark
) -> None:
    """Who began at offset 0 has seen every tick there is: no bar is partial, ever."""
    market = Market(kernel, log_start=0, watermark=watermark)
    market.tick(30)
    market.commit()
    market.restart()
    market.tick(60)
    market.tick(120)
    assert _partial(market) == [("a", 0, False), ("a", 60, False)]


def test_whole_bars_after_retention_cut_the_log(kernel: type[Kernel]) -> None:
    """Having begun at offset 0 is remembered, though the log begins later by now."""
    market = Market(kernel)
    market.tick(0)
    market.silence(60)
    market.commit()
    market.world.log.start = 1
    market.restart()
    market.tick(0, broker="b")
    market.tick(60, broker="b")
    assert _partial(market) == [("a", 0, False), ("b", 0, False)]


@every_watermark
def test_partial_bars_where_the_engine_began(kernel: type[Kernel], watermark: Watermark) -> None:
    """Who began later may lack ticks of the first tick's bucket and of those before it."""
    market = Market(kernel, log_start=7, grace=120, watermark=watermark)
    #   2  |  1  |  #  3  |
    #   10    70       130    400        arriving as 1 2 # 3
    market.tick(70, 1)
    market.tick(10, 2)
    market.commit()
    market.restart()
    market.tick(130, 3)
    market.tick(400)
    assert _partial(market) == [("a", 0, True), ("a", 60, True), ("a", 120, False)]


def test_where_the_engine_began_is_known_per_broker(kernel: type[Kernel]) -> None:
    """Each broker begins with its own first tick."""
    market = Market(kernel, log_start=7)
    for at in (0, 60, 120):
        market.tick(at, broker="a")
    for at in (60, 120, 180):
        market.tick(at, broker="b")
    assert _partial(market) == [
        *(("a", 0, True), ("a", 60, False)),
        *(("b", 60, True), ("b", 120, False)),
    ]
