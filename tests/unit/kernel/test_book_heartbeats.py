"""What heartbeats of a feed change: the cause of flat bars, and nothing else."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barengine.kernel import Feed, Kernel, kernel_class
from barengine.model import NEVER, NS_PER_S, Bar, Cause, Watermark
from tests.unit.kernel.build import NOON_NS
from tests.unit.kernel.stage import Stage, book_config, rungs

FEED_TIMEOUT_NS: Final = 2 * NS_PER_S
LAST_S: Final = 9
KERNELS: Final = (kernel_class("pure"), kernel_class("compiled"))


def feed_of(*heard: tuple[float, bool]) -> Feed:
    """Heartbeats of broker A: seconds after NOON, ascending, and whether it is down."""

    def feed(broker: str, before_ns: int) -> tuple[int, int]:
        up_ns = down_ns = NEVER
        for seconds, down in heard if broker == "A" else ():
            time_ns = NOON_NS + round(seconds * NS_PER_S)
            if time_ns >= before_ns:
                break
            if not down:
                up_ns, down_ns = time_ns, NEVER
            elif down_ns == NEVER:
                down_ns = time_ns
        return up_ns, down_ns

    return feed


def played(kernel: type[Kernel], feed: Feed | None, *between: float, broker: str = "A") -> Stage:
    """Ticks at 0, at some times between, and at the end, which fill what is between."""
    config = book_config(rungs("1s", "1s"), feed_timeout_ns=FEED_TIMEOUT_NS, feed=feed)
    stage = Stage(kernel, config)
    for seconds in (0, *between, LAST_S):
        stage.tick(seconds, 1, "X", broker)
    stage.commit()
    return stage


def causes(stage: Stage) -> dict[int, Cause]:
    """Cause of each flat bar by its start, seconds after NOON."""
    bars = [bar for _, _, bar in stage.left if bar.cause is not None]
    return {(bar.bucket_start_ns - NOON_NS) // NS_PER_S: bar.cause for bar in bars if bar.cause}


def down_at(stage: Stage) -> list[int]:
    return [start for start, cause in causes(stage).items() if cause is Cause.FEED_DOWN]


@pytest.fixture(params=KERNELS)
def kernel(request: pytest.FixtureRequest) -> type[Kernel]:
    found: type[Kernel] = request.param
    return found


def test_a_heartbeat_counts_as_a_tick_of_the_broker(kernel: type[Kernel]) -> None:
    """Until FEED_TIMEOUT behind the newest one before the bucket's end."""
    #   0 tick | .. | 4.5 heartbeat | .. | 9 tick: down are the buckets whose end is > 2 s behind
    assert down_at(played(kernel, None)) == [2, 3, 4, 5, 6, 7, 8]
    assert down_at(played(kernel, feed_of((4.5, False)))) == [2, 3, 6, 7, 8]
    assert down_at(played(kernel, feed_of((4.5, False)), broker="B")) == [2, 3, 4, 5, 6, 7, 8]


def test_down_holds_until_up_or_a_tick(kernel: type[Kernel]) -> None:
    """From the bucket on that it falls into."""
    assert down_at(played(kernel, feed_of((0.5, False), (1.2, True), (3.4, False)), 5)) == [
        1,
        2,
        7,
        8,
    ]
    assert down_at(played(kernel, feed_of((1.2, True)), 3)) == [1, 2, 5, 6, 7, 8]


def test_a_bar_knows_nothing_of_what_came_behind_it(kernel: type[Kernel]) -> None:
    """Heartbeats from after its end, known when bars are caught up, are no news of it."""
    assert down_at(played(kernel, feed_of((8.5, False)))) == [2, 3, 4, 5, 6, 7]


def test_nothing_else_depends_on_it(kernel: type[Kernel]) -> None:
    """The same bars leave, in the same order, with the same clocks."""

    def without_cause(stage: Stage) -> list[tuple[int, int, int, int]]:
        def shown(bar: Bar) -> tuple[int, int, int, int]:
            return bar.bucket_start_ns, bar.bucket_end_ns, bar.close, bar.tick_count

        return [shown(bar) for _, _, bar in stage.left]

    with_it, without = played(kernel, feed_of((1, True))), played(kernel, None)
    assert without_cause(with_it) == without_cause(without)
    assert with_it.kernel.brokers() == without.kernel.brokers()


def test_a_series_of_its_own_clock_asks_for_none(kernel: type[Kernel]) -> None:
    """Nobody says feed_down there."""
    feed = feed_of((1, True))
    config = book_config(rungs("1s", "1s"), by_series=True, feed=feed)
    stage = Stage(kernel, config, watermark=Watermark.SERIES)
    stage.tick(0, 1, "X")
    stage.tick(LAST_S, 1, "X")
    stage.commit()
    assert set(causes(stage).values()) == {Cause.QUIET}


def test_what_it_raises_comes_out(kernel: type[Kernel]) -> None:
    """Nothing is swallowed on the way."""

    def broken(broker: str, before_ns: int) -> tuple[int, int]:
        raise LookupError(broker)

    with pytest.raises(LookupError, match="A"):
        played(kernel, broken)


@given(
    heard=st.lists(st.tuples(st.floats(-3, 12), st.booleans()), max_size=8),
    between=st.lists(st.floats(0.1, 8.9), max_size=3),
)
def test_both_twins_say_the_same(heard: list[tuple[float, bool]], between: list[float]) -> None:
    """Whatever is heard, whenever."""
    feed = feed_of(*sorted(heard))
    pure, compiled = (causes(played(kind, feed, *sorted(between))) for kind in KERNELS)
    assert pure == compiled
