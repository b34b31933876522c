"""A gap is filled in as many transactions as it takes. Windows and flat bars are of a second."""

from __future__ import annotations

import pytest

from barengine.engine import turns
from barengine.kernel import Kernel
from barengine.model import NS_PER_S, LatePolicy, Watermark
from tests.unit.engine.market import Market
from tests.unit.engine.sim import SECOND
from tests.unit.engine.store import BarRecord, Commit

HOUR = 3600


@pytest.fixture
def gap(kernel: type[Kernel], monkeypatch: pytest.MonkeyPatch) -> Market:
    """Three series that had a tick, and one of them again an hour later."""
    monkeypatch.setattr(turns, "MOST_FILLS", 1000)
    market = Market(kernel, period=SECOND, continuous="1s", continuous_max_ns=2 * HOUR * NS_PER_S)
    for symbol in "xyz":
        market.put(0, symbol=symbol)
    market.put(HOUR)
    for at in (HOUR - 5, HOUR + 1, HOUR + 2):
        market.put(at)
    market.owner.feed_all()
    return market


def filled(market: Market) -> list[int]:
    """Flat bars of each transaction."""
    return [
        sum(
            bar.row["origin"] == "filled"
            for bar in (*commit.bars, *(b for _, _, b in commit.others))
        )
        for commit in market.world.commits
    ]


def finish(market: Market) -> None:
    while not market.owner.caught_up or market.owner.engine.has_output:
        market.commit()
        market.owner.feed_all()


def test_no_transaction_is_much_larger_than_the_limit(gap: Market) -> None:
    """3 x 3599 flat bars, some more than a thousand at a time: a span leaves as a whole."""
    finish(gap)
    assert sum(filled(gap)) == 3 * (HOUR - 1) + 2 * 2
    assert 1000 <= max(filled(gap)) < 1000 + 3 * 20


def test_ticks_wait_until_their_broker_is_where_they_need_it(gap: Market) -> None:
    """The tick that makes it wait is the last one taken; a late one behind it is late for good."""
    engine = gap.owner.engine
    assert (engine.position, engine.held, engine.has_output) == (4, True, True)
    gap.commit()
    assert gap.closed_through() < HOUR
    finish(gap)
    assert [one.offset for one in gap.late] == [4]


def test_another_owner_goes_on_in_the_middle(gap: Market) -> None:
    """It fills what is left, and nothing twice."""
    gap.commit()
    gap.restart()
    gap.owner.feed_all()
    gap.commit()
    gap.restart()
    gap.owner.feed_all()
    finish(gap)
    bars = [(bar.series, bar.bucket_ms) for commit in gap.world.commits for bar in commit.bars]
    assert len(bars) == len(set(bars)) == sum(filled(gap)) + 5
    assert [one.offset for one in gap.late] == [4]


# -- corrections -----------------------------------------------------------------------------------


def corrected(market: Market) -> list[int]:
    """Corrections of each transaction."""
    return [sum(kind for _, kind, _ in commit.others) for commit in market.world.commits]


def late_market(kernel: type[Kernel], watermark: Watermark) -> Market:
    """Twenty late ticks behind a minute of ticks, each of which moves the flat bars behind it."""
    market = Market(
        kernel,
        period=SECOND,
        watermark=watermark,
        continuous="1s",
        late_policy=LatePolicy.CORRECT,
        horizon_ns=HOUR * NS_PER_S,
    )
    for at in (0, 1, 30, 60):
        market.put(at)
    for at in range(20):
        market.put(2 + at / 4, price=at)
        market.put(60 + at / 4)
    return market


@pytest.mark.parametrize("watermark", list(Watermark))
def test_corrections_are_cut_like_flat_bars(
    kernel: type[Kernel], monkeypatch: pytest.MonkeyPatch, watermark: Watermark
) -> None:
    """No transaction has many more than the limit, and what leaves is the same without one."""
    once, often = (late_market(kernel, watermark) for _ in range(2))
    once.owner.feed_all()
    finish(once)
    monkeypatch.setattr(turns, "MOST_FILLS", 30)
    often.owner.feed_all()
    assert often.owner.engine.held
    while not often.owner.caught_up:
        often.commit()
        if len(often.world.commits) == 3:
            often.restart()
        often.owner.feed_all()
    finish(often)
    assert sum(corrected(often)) == sum(corrected(once)) > 60
    assert max(corrected(often)) < 30 // 2 + 3 * 4
    assert [left(often, kind) for kind in (0, 1)] == [left(once, kind) for kind in (0, 1)]
    assert often.world.store.image().kept == once.world.store.image().kept


def of_kind(commit: Commit, kind: int) -> list[BarRecord]:
    return [bar for _, of, bar in commit.others if of == kind]


def left(market: Market, kind: int) -> list[tuple[bytes, bytes]]:
    """All finals or all corrections in order of leaving."""
    return [
        (bar.key, bar.value)
        for commit in market.world.commits
        for bar in [*commit.bars[: None if kind == 0 else 0], *of_kind(commit, kind)]
    ]


def test_one_late_tick_is_not_divided(
    kernel: type[Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many bars it moves, they leave together."""
    monkeypatch.setattr(turns, "MOST_FILLS", 1)
    market = Market(
        kernel,
        period=SECOND,
        continuous="1s",
        continuous_max_ns=HOUR * NS_PER_S,
        late_policy=LatePolicy.CORRECT,
        horizon_ns=HOUR * NS_PER_S,
    )
    for at, price in ((0, 1), (60, 1), (0.5, 2)):
        market.put(at, price)
        market.owner.feed_all()
        finish(market)
    assert max(corrected(market)) == 60
