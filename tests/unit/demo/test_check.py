"""The check agrees with a right engine, and finds every defect that is planted."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from barengine.demo.check import Checker
from barengine.demo.records import InputRecord
from barengine.demo.report import Report
from barengine.demo.rules import Rules
from barengine.model import Order
from tests.unit.demo.scene import GRACE_NS, MAX_FUTURE_NS, PERIOD, SCALE, T0, Scene, scene, tick

CENT = Decimal("0.01")
FUTURE_MS = 10**10

VALUES: list[bytes | None] = [
    tick("a|b", "EURUSD", 100, 1.1),
    tick("a|b", "EURUSD", 1900, 1.3),
    tick("a|b", "EURUSD", 1200, 0.9),
    tick("a|b", "EURUSD", 1900, 1.2),  # 3: the same event time, so the offset decides
    tick("a|b", "GBPUSD", 4000, -2.5),
    b"\0\0\0\0\1\2x",  # 5: undecodable
    tick("a|b", "EURUSD", FUTURE_MS, 7.0),  # 6: quarantined
    tick("a|b", "EURUSD", 6000, 1.25),  # 7: closes the first bucket
    tick("a|b", "EURUSD", 4999, 9.9),  # 8: late
    tick("c", "EURUSD", 200, 5.0),  # another broker, whose clock is its own
    tick("a|b", "EURUSD", 5000, 1.5),
    None,  # 11: no value
]


@pytest.fixture
def good() -> Scene:
    """What a right engine has made of VALUES: bars of EURUSD, GBPUSD, EURUSD, c's EURUSD."""
    return scene(VALUES)


def test_a_right_engine_is_found_right(good: Scene) -> None:
    """All bars exact, every record accounted for."""
    report = good.check()
    assert report.differences == []
    assert report.ok
    assert (report.ticks_in, report.in_bars, report.late, report.dead) == (12, 8, 1, 3)
    assert (report.bars_expected, report.bars_read, report.bars_exact) == (4, 4, 4)
    assert report.lines()[-1] == "4 bars, all exact"


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("open", lambda price: price + CENT),
        ("high", lambda price: price + CENT),
        ("low", lambda price: price - CENT),
        ("close", lambda price: price + CENT),
        ("first_event_time", lambda time: time.replace(microsecond=0)),
        ("last_event_time", lambda time: time.replace(microsecond=0)),
        ("bucket_end", lambda time: time.replace(year=2000)),
        ("first_offset", 1),
        ("last_offset", 2),
        ("revision", 1),
        ("final", False),
        ("origin", "filled"),
        ("cause", "quiet"),
        ("partial", True),
        ("period", "1m"),
        ("volume", Decimal(0)),
    ],
)
def test_an_altered_field_is_named(good: Scene, field: str, change: Any) -> None:
    """Exactly one bar is different, and the difference names key, field and both values."""
    report = good.with_bar(0, **{field: change}).check()
    assert (report.different, report.bars_exact) == (1, 3)
    assert not report.ok
    assert {difference.field for difference in report.differences} == {field}
    assert report.differences[0].where == f"a\\|b|EURUSD|{T0}"


def test_a_price_is_told_as_a_price(good: Scene) -> None:
    """Expected and got are decimals, the way the ticks have them."""
    [difference] = good.with_bar(0, high=lambda high: high + CENT).check().differences
    assert (difference.expected, difference.got) == ("1.300000000", "1.310000000")


def test_a_bar_must_be_sound_in_itself(good: Scene) -> None:
    """low <= open, close <= high is checked on its own, too."""
    report = good.with_bar(0, low=Decimal("1.25")).check()
    found = [(each.field, each.expected) for each in report.differences]
    assert ("open", "between low and high") in found
    assert ("close", "between low and high") in found


def test_a_tick_lost_from_a_bar_is_unaccounted_for(good: Scene) -> None:
    """tick_count too low: the bar is different and the tick is missed."""
    report = good.with_bar(0, tick_count=3).check()
    assert (report.different, report.unaccounted, report.counted_twice) == (1, 1, 0)


def test_a_tick_counted_twice_is_seen(good: Scene) -> None:
    """tick_count too high: somewhere a tick was taken twice."""
    report = good.with_bar(0, tick_count=5).check()
    assert (report.different, report.unaccounted, report.counted_twice) == (1, 0, 1)


def test_losses_and_doubles_do_not_cancel_out(good: Scene) -> None:
    """One lost and one doubled tick are two defects, whatever the sums say."""
    report = good.with_bar(0, tick_count=5).with_bar(2, tick_count=1).check()
    assert (report.unaccounted, report.counted_twice) == (1, 1)


def test_a_missing_bar_is_seen(good: Scene) -> None:
    """Its key and its ticks are told, and the ticks are unaccounted for."""
    report = good.without("bars", 0).check()
    assert (report.missing, report.unaccounted, report.bars_exact) == (1, 4, 3)
    assert "a bar of 4 ticks (offsets 0 to 3)" in str(report.differences[0])


def test_a_doubled_bar_is_seen(good: Scene) -> None:
    """The same bar twice is a duplicate, and the first one stays exact."""
    report = good.twice("bars", 1).check()
    assert (report.duplicates, report.counted_twice, report.bars_exact) == (1, 1, 4)


@pytest.mark.parametrize(
    "changes",
    [
        {"bucket_start": lambda time: time.replace(year=2000)},
        {"symbol": "USDJPY"},
        {"broker": "c|d"},
    ],
)
def test_a_bar_without_ticks_is_extra(good: Scene, changes: dict[str, Any]) -> None:
    """No tick of that series is in that bucket; the bar that should be there is missing."""
    report = good.with_bar(0, **changes).check()
    assert (report.extra, report.missing) == (1, 1)


def test_a_bar_in_another_partition_is_extra(good: Scene) -> None:
    """A bar belongs into the partition that its ticks came from."""
    report = good.with_record("bars", 0, partition=1).check()
    assert (report.extra, report.missing) == (1, 1)


@pytest.mark.parametrize("value", [None, b"", b"\x02a", b"trailing"])
def test_what_is_no_bar_is_different(good: Scene, value: bytes | None) -> None:
    """Bytes that the schema cannot read, or that go on behind the bar, do not pass."""
    if value == b"trailing":
        value = (good.bars[0].value or b"") + b"\0"
    report = good.with_record("bars", 0, value=value).check()
    assert (report.different, report.missing) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"key": b"a|b|EURUSD|1"}, "record key"), ({"time_ms": T0 + 1}, "record timestamp")],
)
def test_key_and_timestamp_of_the_record_count(
    good: Scene, changes: dict[str, Any], field: str
) -> None:
    """The key escapes names, the record timestamp is the start of the bucket."""
    report = good.with_record("bars", 0, **changes).check()
    assert [difference.field for difference in report.differences] == [field]


def test_bars_of_a_series_come_in_order(good: Scene) -> None:
    """An older bucket behind a newer one of the same series is a difference."""
    bars = [good.bars[2], good.bars[0], good.bars[1], good.bars[3]]
    report = Scene(good.ticks, bars, good.late, good.dead).check()
    assert [difference.field for difference in report.differences] == ["place in the topic"]


def test_order_by_offset_is_another_bar(good: Scene) -> None:
    """Under order=offset the first and last offset give open and close."""
    report = Scene(good.ticks, good.bars, good.late, good.dead, Order.OFFSET).check()
    fields = {
        (difference.where.split("|")[-1], difference.field) for difference in report.differences
    }
    assert fields == {(str(T0 + 5000), "open"), (str(T0 + 5000), "close")}
    assert scene(VALUES, order=Order.OFFSET).check().ok


# -- letters ---------------------------------------------------------------------------------


def test_a_lost_letter_leaves_its_tick_unaccounted_for(good: Scene) -> None:
    """A late tick without a letter should be in its bar, and is not; and it should be late."""
    report = good.without("late", 0).check()
    assert (report.unaccounted, report.different, report.ticks_wrong) == (1, 1, 1)


def test_a_lost_dead_letter_is_seen(good: Scene) -> None:
    """An undecodable record without a letter is unaccounted for."""
    report = good.without("dead", 0).check()
    assert (report.unaccounted, report.ticks_wrong) == (1, 1)
    assert "partition 2 offset 5" in str(report.differences[0])


@pytest.mark.parametrize(("topic", "index"), [("late", 0), ("dead", 1)])
def test_a_doubled_letter_is_seen(good: Scene, topic: str, index: int) -> None:
    """One record, one letter."""
    report = good.twice(topic, index).check()
    assert report.letters_wrong == 1
    assert "another one" in str(report.differences[0])


def test_a_tick_in_a_bar_and_in_a_letter_is_seen(good: Scene) -> None:
    """A letter for a good tick contradicts the bar that holds it, and cannot be right."""
    letter = good.late[0]._replace(key=good.ticks[0].key, value=good.ticks[0].value, time_ms=T0)
    headers = dict(letter.headers) | {"source_offset": b"0"}
    letter = letter._replace(headers=tuple(headers.items()))
    report = Scene(good.ticks, good.bars, [*good.late, letter], good.dead).check()
    assert (report.different, report.counted_twice, report.letters_wrong) == (1, 1, 1)
    assert "an earlier event time >=" in str(report.differences[0])


@pytest.mark.parametrize(
    ("topic", "header", "value"),
    [
        ("late", "bucket_start", b"0"),
        ("late", "bucket_end", None),
        ("late", "lateness_ms", b"3"),
        ("late", "reason", b"undecodable"),
        ("late", "source_partition", None),
        ("late", "source_offset", b"x"),
        ("late", "source_offset", b"99"),
        ("dead", "reason", b"framing"),
        ("dead", "reason", b"silence"),
    ],
)
def test_a_letter_with_a_wrong_header_is_seen(
    good: Scene, topic: str, header: str, value: bytes | None
) -> None:
    """Bucket, lateness, reason and source are recomputed from the input record."""
    assert good.with_header(topic, 0, header, value).check().letters_wrong >= 1


@pytest.mark.parametrize(
    "changes", [{"value": b"cut"}, {"key": b"other"}, {"time_ms": 1}, {"partition": 1}]
)
def test_a_letter_is_the_input_untouched(good: Scene, changes: dict[str, Any]) -> None:
    """Key, value, timestamp and partition of the source record."""
    assert good.with_record("late", 0, **changes).check().letters_wrong == 1


def test_a_truncated_letter_may_differ(good: Scene) -> None:
    """The header ``truncated`` says that the broker would not have taken all of it."""
    letter = good.dead[0]
    cut = good.with_record("dead", 0, value=b"", headers=(("truncated", b"7"), *letter.headers))
    assert cut.check().ok


def test_late_by_silence_is_believed(good: Scene) -> None:
    """Silence is wall time, which no record shows."""

    def fall_silent(offset: int, kernel: Any) -> None:
        if offset == 1:
            kernel.advance(3600 * 10**9)

    late = scene([tick("a", "S", 0, 1.0), tick("a", "S", 1, 1.0)], between=fall_silent)
    assert [dict(letter.headers)["reason"] for letter in late.late] == [b"silence"]
    assert late.check().ok


def _check_with_wall(good: Scene, began_ms: int | None, ended_ms: int | None) -> Report:
    rules = Rules(
        PERIOD,
        GRACE_NS,
        Order.EVENT_TIME,
        SCALE,
        max_future_ns=MAX_FUTURE_NS,
        began_ns=None if began_ms is None else began_ms * 10**6,
        ended_ns=None if ended_ms is None else ended_ms * 10**6,
    )
    checker = Checker(rules, good.late, good.dead)
    checker.add_ticks(good.ticks)
    return checker.finish(good.bars)


def test_a_quarantined_tick_was_ahead_of_the_clock(good: Scene) -> None:
    """Where the engine's wall clock is known, a tick that was not ahead of it is no ``future``."""
    assert _check_with_wall(good, T0, T0 + 60_000).ok
    assert _check_with_wall(good, T0 + FUTURE_MS, None).letters_wrong == 1


def test_a_tick_ahead_of_the_clock_is_quarantined(good: Scene) -> None:
    """A tick further ahead than ``max_future`` even at the end may be in no bar."""
    early = T0 - MAX_FUTURE_NS // 10**6
    assert _check_with_wall(good, None, early + 150).ticks_wrong > 0


def test_ticks_out_of_offset_order_are_refused(good: Scene) -> None:
    """The rules of lateness speak of earlier offsets, so the order is required."""
    checker = Checker(Rules(PERIOD, GRACE_NS, Order.EVENT_TIME, SCALE), [], [])
    checker.add_ticks(
        [InputRecord(0, 5, None, VALUES[0], 0), InputRecord(1, 2, None, VALUES[0], 0)]
    )
    with pytest.raises(ValueError, match="offset 5 of partition 0"):
        checker.add_ticks([InputRecord(0, 5, None, VALUES[0], 0)])


def test_only_the_first_differences_are_spelled_out(good: Scene) -> None:
    """A defect in every bar is counted in full and told in part."""
    many = scene([tick("a", "S", 5000 * k, 1.0) for k in range(100)])
    report = Scene(many.ticks, [], [], []).check()
    assert report.missing == 100
    assert len(report.differences) == 20
    assert report.lines()[-1].startswith("100 bars expected, 0 exact: 100 missing, 100 ticks un")
