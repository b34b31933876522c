"""What is made up is the same every time, and holds everything that can go wrong."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest

from barengine.demo.tick_reader import NoTick, check_names, exact_price, read_names, read_tick
from barengine.demo.ticks import (
    BROKERS,
    SYMBOLS,
    YEAR_2099_MS,
    Market,
    Planned,
    encode_tick,
    generate,
    series_key,
)

START_MS = 1_790_000_000_000
MARKET = Market(seed=7, start_ms=START_MS, rate=1_000, late_ms=6_000)


def read_all(value: bytes | None) -> None:
    """Raise the reason why it is no tick."""
    tick = read_tick(value)
    exact_price(tick.price, 9)
    check_names(*read_names(tick.names))


@pytest.fixture(scope="module")
def planned() -> list[Planned]:
    """About 20 seconds of the market."""
    return list(islice(generate(MARKET), 20_000))


def test_the_same_market_makes_the_same_ticks(planned: list[Planned]) -> None:
    """Seed, start and rate decide everything."""
    assert list(islice(generate(MARKET), 20_000)) == planned


def test_another_seed_makes_others(planned: list[Planned]) -> None:
    """The seed decides the prices."""
    other = Market(seed=8, start_ms=START_MS, rate=1_000)
    assert list(islice(generate(other), 100)) != planned[:100]


def test_ticks_come_in_the_order_they_are_due(planned: list[Planned]) -> None:
    """``due_ms`` never falls, and on average the rate is kept."""
    due = [each.due_ms for each in planned]
    assert due == sorted(due)
    assert due[-1] == pytest.approx(20_000, rel=0.1)


def test_there_are_bursts(planned: list[Planned]) -> None:
    """Some tenths of a second hold several times as many ticks as others."""
    counts = [0] * 200
    for each in planned:
        counts[min(199, int(each.due_ms / 100))] += 1
    assert max(counts) > 4 * sorted(counts)[100] > 0


def test_values_hold_what_was_planned(planned: list[Planned]) -> None:
    """Every good tick decodes to its broker, symbol, event time and price."""
    for each in planned:
        if each.price is not None:
            tick = read_tick(each.value)
            assert read_names(tick.names) == (each.broker, each.symbol)
            assert (tick.time_ms, tick.price) == (each.event_ms, each.price)


def test_prices_are_decimals(planned: list[Planned]) -> None:
    """A price has the digits of its symbol and no more."""
    digits = {name: places for name, _, places in SYMBOLS}
    for each in planned:
        if each.price is not None:
            assert exact_price(each.price, 9) % 10 ** (9 - digits[each.symbol]) == 0


def test_event_times_are_out_of_order_by_some_hundred_ms(planned: list[Planned]) -> None:
    """Nearly all are 0 to 400 ms behind; about one a second is late beyond doubt."""
    behind = [START_MS + each.due_ms - each.event_ms for each in planned]
    usual = [ms for ms in behind if 0 <= ms <= 401]
    late = [ms for ms in behind if ms > MARKET.late_ms]
    assert max(usual) > 300
    assert 5 <= len(late) <= 50
    assert len(usual) + len(late) + 1 == len(planned)


def test_one_clock_is_in_the_far_future(planned: list[Planned]) -> None:
    """Exactly one tick is stamped 2099."""
    assert [each.event_ms for each in planned].count(YEAR_2099_MS) == 1


def test_one_symbol_falls_silent(planned: list[Planned]) -> None:
    """The last symbol of the last broker stops, all others go on."""
    first = {(each.broker, each.symbol) for each in planned[:5_000]}
    last = {(each.broker, each.symbol) for each in planned[-5_000:]}
    assert len(first) == len(BROKERS) * len(SYMBOLS)
    assert first - last == {(BROKERS[-1], SYMBOLS[-1][0])}


def test_there_are_duplicates(planned: list[Planned]) -> None:
    """Now and then a tick comes twice."""
    twice = sum(one == other for one, other in pairwise(planned))
    assert 30 < twice < 300


def test_bad_records_are_bad_in_every_way() -> None:
    """Each kind of dead letter occurs, and no bad record is a tick."""
    reasons = set()
    bad = [each for each in islice(generate(MARKET), 100_000) if each.price is None]
    for each in bad:
        with pytest.raises(NoTick) as no_tick:
            read_all(each.value)
        reasons.add(str(no_tick.value))
    assert reasons == {
        "undecodable",
        "framing",
        "price_not_finite",
        "price_range",
        "empty_name",
        "null_value",
    }
    assert len(bad) < 200


def test_good_ticks_prevail_at_any_rate() -> None:
    """At a few ticks a second, too, nearly all are good."""
    slow = list(islice(generate(Market(1, START_MS, rate=2)), 1_000))
    assert sum(each.price is None for each in slow) < 50


def test_the_key_is_the_series() -> None:
    """Names are escaped, so that no two series share a key."""
    assert series_key("a|b", "c") == rb"a\|b|c"
    assert encode_tick("a", "b", 0, 1.0)[:5] == b"\0\0\0\0\1"
