"""What a kernel tells about itself, takes back, and forgets."""

from __future__ import annotations

from collections.abc import Sequence

from barengine.kernel import BrokerState, Kernel, SeriesState
from barengine.model import NEVER, Watermark
from tests.unit.kernel.build import NOON_NS, batch, feed, take, tick
from tests.unit.kernel.conftest import Make

SECOND = 10**9
MINUTE = 60 * SECOND


def test_loaded_clocks_come_out_as_they_went_in(make: Make) -> None:
    """load puts every clock back, brokers in the order in which they come."""
    states = [BrokerState("é|", 5, 4, 3, 2, 1, 0), BrokerState("A", *[NEVER] * 6)]
    kernel = make()
    kernel.load(states, [])
    assert kernel.brokers() == states


def test_a_stored_floor_is_never_undercut(make: Make) -> None:
    """Closed stays closed: a bucket below a loaded closed_through is late, whatever the clocks."""
    kernel = make(watermark=Watermark.SERIES)
    kernel.load([], [SeriesState("A", "X", NOON_NS + MINUTE, NEVER)])
    outcome = feed(kernel, tick(59), tick(60), tick(59, symbol="Y"))
    assert [r.offset for r in outcome.rejects] == [0]


def test_states_of_series_are_told_once_and_only_where_needed(make: Make) -> None:
    """WATERMARK=series: after a bar closed or a tick was late, in order of first appearance."""
    kernel = make(watermark=Watermark.SERIES)
    feed(kernel, tick(0, symbol="quiet"), tick(90, symbol="Y"), tick(0, symbol="X"),
         tick(70, symbol="X"), tick(20, symbol="Y"))  # fmt: skip
    assert [bar.symbol for bar in take(kernel)] == ["X"]
    assert kernel.take_series().states() == [
        SeriesState("A", "Y", NOON_NS + MINUTE, NOON_NS + 90 * SECOND),
        SeriesState("A", "X", NOON_NS + MINUTE, NOON_NS + 70 * SECOND),
    ]
    assert kernel.take_series().states() == []


def test_a_late_tick_that_the_broker_covers_is_not_told(make: Make) -> None:
    """WATERMARK=series: below the broker's closed_through the series says nothing."""
    kernel = make(watermark=Watermark.SERIES)
    kernel.load([BrokerState("A", 0, 0, 0, NOON_NS + MINUTE, 0, 0)], [])
    feed(kernel, tick(10))
    assert kernel.take_series().states() == []


def test_there_are_no_states_of_series_under_one_clock(make: Make) -> None:
    """WATERMARK=broker: the broker's clock says all."""
    kernel = make()
    feed(kernel, tick(0), tick(70), tick(10))
    take(kernel)
    assert kernel.take_series().states() == []


def test_low_water_is_the_oldest_first_tick_of_an_open_window(make: Make) -> None:
    """L: from here on the log must be read again."""
    for watermark in Watermark:
        kernel = make(watermark=watermark, grace_ns=MINUTE)
        assert kernel.low_water() is None
        feed(kernel, tick(0), tick(1), tick(60), tick(119), base_offset=10)
        assert kernel.low_water() == 10
        feed(kernel, tick(120), base_offset=20)
        kernel.drain()
        assert (kernel.low_water(), kernel.open_windows) == (12, 2)


def test_low_water_is_right_even_if_offsets_go_back(make: Make) -> None:
    """Whatever order windows were opened in, L is the smallest of their first offsets."""
    for watermark in Watermark:
        kernel = make(watermark=watermark, grace_ns=MINUTE)
        kernel.process(batch([tick(0), tick(60)], 10), 0, 20, 2**61)
        kernel.process(batch([tick(61, symbol="Y"), tick(1, symbol="Z")], 4), 0, 20, 2**61)
        assert kernel.low_water() == 4


def test_series_that_are_old_and_empty_are_forgotten(make: Make) -> None:
    """evict: no open window, last arrival before the given wall time; others stay."""
    kernel = make()
    feed(kernel, tick(0, symbol="old"), wall_ns=NOON_NS)
    feed(kernel, tick(70, symbol="new"), wall_ns=NOON_NS + MINUTE, base_offset=1)
    assert kernel.evict(NOON_NS + MINUTE) == []  # a window is open
    kernel.drain()
    assert kernel.evict(NOON_NS + MINUTE) == []  # its bar is pending
    kernel.take_bars()
    before = feed(kernel, tick(71, symbol="new"), base_offset=2)
    assert kernel.evict(NOON_NS + MINUTE) == []  # forgotten, but it never had a record
    assert before.accepted == feed(kernel, tick(72, symbol="old"), base_offset=3).accepted == 1


def silent_x(kernel: Kernel, before: Sequence[bytes]) -> None:
    """Ticks, then one of X that silence closes, and one of `pin` that stays open."""
    feed(kernel, *before, tick(0, symbol="X"))
    kernel.advance(59 * SECOND)
    feed(kernel, tick(1, symbol="pin"), base_offset=len(before) + 1)
    kernel.advance(MINUTE)


def test_forgotten_series_with_a_stored_record_are_named(make: Make) -> None:
    """WATERMARK=series: their records become tombstones; not before all is told and taken."""
    kernel = make(watermark=Watermark.SERIES, idle_timeout_ns=2 * SECOND)
    silent_x(kernel, [])
    assert kernel.evict(2**62) == []  # its bar is pending
    assert [bar.symbol for bar in take(kernel)] == ["X"]
    assert kernel.evict(2**62) == []  # its state was not told
    assert [state.symbol for state in kernel.take_series().states()] == ["X"]
    assert kernel.evict(2**61) == []  # it arrived later
    assert kernel.evict(2**62) == [("A", "X")]
    assert kernel.evict(2**62) == []


def test_a_series_that_recovery_would_read_again_is_kept(make: Make) -> None:
    """evict: a tick at or behind L would be read into a new window if its record were gone."""
    kernel = make(watermark=Watermark.SERIES, idle_timeout_ns=2 * SECOND)
    silent_x(kernel, [tick(0, symbol="pin")])
    assert [bar.symbol for bar in take(kernel)] == ["X"]
    kernel.take_series()
    assert (kernel.low_water(), kernel.evict(2**62)) == (0, [])


def test_a_thousand_series_survive_the_eviction_of_others(make: Make) -> None:
    """Windows, pending bars and due series of those that stay are untouched, in their order."""
    kernel = make(watermark=Watermark.SERIES, grace_ns=MINUTE)
    names = [f"series number {place}" for place in range(1000)]
    feed(kernel, *(tick(0, place, name) for place, name in enumerate(names)))
    kernel.load([], [SeriesState("A", f"gone {place}", NEVER, 0) for place in range(500)])
    feed(kernel, *(tick(150, 1, name) for name in names[::2]), base_offset=1000)
    assert kernel.evict(2**62) == []
    feed(kernel, *(tick(150, 1, name) for name in names[1::2]), base_offset=1500)
    assert [bar.symbol for bar in take(kernel)] == names[::2] + names[1::2]
    assert [state.symbol for state in kernel.take_series().states()] == names
    assert kernel.open_windows == 1000
