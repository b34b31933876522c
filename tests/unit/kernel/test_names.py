"""Aliases and normal form: one series, however its feeds spell it."""

from __future__ import annotations

from barengine.codec.symbols import SymbolNames
from barengine.kernel import Kernel
from barengine.kernel._kernel import CompiledKernel
from barengine.model import Normalize, Watermark
from tests.unit.kernel.build import NOON_NS, TICK_PLAN, feed, take, tick, tick_value
from tests.unit.kernel.conftest import Make
from tests.unit.kernel.test_stored import ALL

MINUTE = 60 * 10**9
UPPER = SymbolNames(Normalize.UPPER)
NAMES = SymbolNames(
    Normalize.UPPER, {"A": {"cable": "gbpusd"}, "*": {"Cable": "Rope", "eur/usd": "EURUSD"}}
)


def symbols(kernel: Kernel) -> list[str]:
    """Of the bars that are due."""
    return [bar.symbol for bar in take(kernel)]


def test_upper_makes_one_series_of_all_spellings(make: Make) -> None:
    """Ticks of eurusd and EurUsd are in one bar, in the order in which they came."""
    kernel = make(names=UPPER)
    feed(kernel, tick(1, 1, "eurusd"), tick(2, 2, "EURUSD"), tick(3, 3, "EurUsd"), tick(60))
    [bar] = take(kernel)
    assert (bar.symbol, bar.tick_count, bar.close) == ("EURUSD", 3, 3 * 10**9)


def test_only_the_letters_of_ascii_are_raised(make: Make) -> None:
    """A name keeps its length, whatever else is in it."""
    kernel = make(names=UPPER)
    feed(kernel, tick(1, symbol="straße.é"), tick(60))
    assert symbols(kernel) == ["STRAßE.é"]


def test_a_brokers_own_alias_goes_before_that_of_every_broker(make: Make) -> None:
    """And both are looked up in normal form."""
    kernel = make(names=NAMES)
    for broker in ("A", "B"):
        for symbol in ("cable", "EUR/usd", "x"):
            feed(kernel, tick_value(broker, symbol, NOON_NS // 10**6, 1.0))
        feed(kernel, tick(60, broker=broker))
    assert [(bar.broker, bar.symbol) for bar in take(kernel)] == [
        *(("A", "GBPUSD"), ("A", "EURUSD"), ("A", "X")),
        *(("B", "ROPE"), ("B", "EURUSD"), ("B", "X")),
    ]


def test_a_late_tick_says_which_series_it_missed(make: Make) -> None:
    """The name is the one that the bars have."""
    kernel = make(names=NAMES)
    feed(kernel, tick(60, symbol="gbpUSD"))
    [late] = feed(kernel, tick(1, symbol="cable"), base_offset=1).rejects
    assert (late.broker, late.symbol) == ("A", "GBPUSD")


def test_a_spelling_outlives_what_is_forgotten(make: Make) -> None:
    """evict: series go, spellings of those that stay still lead to them."""
    kernel = make(names=UPPER, watermark=Watermark.SERIES)
    feed(kernel, tick(0, symbol="old"), tick(60, symbol="old"), wall_ns=2**60)
    feed(kernel, tick(0, symbol="new"), base_offset=2, wall_ns=2**61)
    take(kernel)
    kernel.take_series()
    kernel.evict(2**60 + 1)
    feed(kernel, tick(1, symbol="new"), tick(60, symbol="New"), base_offset=3, wall_ns=2**61)
    [bar] = take(kernel)
    assert (bar.symbol, bar.tick_count) == ("NEW", 2)


def test_stored_windows_go_on_under_every_spelling(make: Make) -> None:
    """After a restart no spelling has been met yet."""
    first, second = make(names=UPPER), make(names=UPPER)
    feed(first, tick(1, symbol="eurusd"))
    second.load(first.brokers(), first.take_series().states())
    second.load_windows(1, first.store_windows(1).pack(ALL))
    feed(second, tick(2, symbol="eurUSD"), tick(60), base_offset=1)
    [bar] = take(second)
    assert (bar.symbol, bar.tick_count) == ("EURUSD", 2)


def test_spellings_do_not_pile_up(make: Make) -> None:
    """Of one series there can be very many; evict lets them go, though no series does."""
    kernel = make(names=UPPER)
    spellings = [
        "".join(char.upper() if n >> place & 1 else char for place, char in enumerate("abcdefghij"))
        for n in range(1024)
    ]
    feed(kernel, *(tick(1, symbol=one) for one in spellings))
    assert kernel.evict(2**62) == []
    feed(kernel, tick(2, symbol="abcdefghij"), tick(60), base_offset=1024)
    [bar] = take(kernel)
    assert bar.tick_count == 1025
    if isinstance(kernel, CompiledKernel):
        assert repr(kernel).startswith("<CompiledKernel: 2 series, ")


def test_two_names_of_one_hash_bucket_stay_apart(make: Make) -> None:
    """Ten thousand series and as many spellings: each tick is where it belongs."""
    kernel = make(names=UPPER)
    kernel.add_schema(0, TICK_PLAN)
    names = [f"sym{n}" for n in range(10_000)]
    feed(kernel, *(tick(1, n, name) for n, name in enumerate(names)))
    feed(kernel, *(tick(2, n, name.upper()) for n, name in enumerate(names)), base_offset=10_000)
    feed(kernel, tick(60), base_offset=20_000)
    bars = take(kernel)
    assert [bar.symbol for bar in bars] == [name.upper() for name in names]
    assert all(bar.tick_count == 2 and bar.high == bar.low for bar in bars)
