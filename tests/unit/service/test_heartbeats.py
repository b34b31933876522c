"""Heartbeats of feeds: what is read of a record, and what is remembered of a broker."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barengine.kafka.follow import Record
from barengine.model import NEVER, NS_PER_MS, NS_PER_S
from barengine.service.heartbeats import _STRETCHES, Heartbeats, read_heartbeat

TIMEOUT_S = 30
NEWEST_NS = 10_000 * NS_PER_S
UP, DOWN = b'{"status": "up"}', b'{"status": "down"}'


def heard(*beats: tuple[int, bool]) -> Heartbeats:
    """Seconds, and whether it is down, of broker b."""
    heartbeats = Heartbeats(TIMEOUT_S * NS_PER_S)
    for seconds, down in beats:
        heartbeats.heard("b", seconds * NS_PER_S, down=down)
    return heartbeats


def before(heartbeats: Heartbeats, seconds: int, broker: str = "b") -> tuple[float, float]:
    """The newest sign of life and since when it is down, in seconds; -1 for none."""
    up, down = (
        -1 if time_ns == NEVER else time_ns / NS_PER_S
        for time_ns in heartbeats(broker, seconds * NS_PER_S)
    )
    return up, down


def is_down(heartbeats: Heartbeats, seconds: int) -> bool:
    """What a bar makes of it that ends there and had no tick."""
    up, down = before(heartbeats, seconds)
    return up < 0 or down >= 0 or seconds - up > TIMEOUT_S


def test_one_counts_behind_its_time_alone() -> None:
    """Of a broker that was not heard nothing is known, nor of the time before the first."""
    heartbeats = heard((100, False))
    assert before(heartbeats, 100) == (-1, -1)
    assert before(heartbeats, 101) == (100, -1)
    assert before(heartbeats, 1000) == (100, -1)
    assert before(heartbeats, 1000, "c") == (-1, -1)


def test_down_holds_until_up() -> None:
    """The first word of it counts; bars of before know nothing of it, nor of the next up."""
    heartbeats = heard((100, False), (110, True), (120, True), (200, False))
    assert before(heartbeats, 110)[1] == -1
    assert before(heartbeats, 111) == (100, 110)
    assert before(heartbeats, 200) == (100, 110)
    assert before(heartbeats, 201) == (200, -1)


def test_one_that_is_older_than_the_newest_says_nothing() -> None:
    """Two senders of one broker may overtake each other."""
    heartbeats = heard((100, False), (95, True), (99, False), (100, True), (90, False))
    assert before(heartbeats, 101) == (100, 100)


def test_what_is_remembered_has_a_bound() -> None:
    """The oldest stretches go first; a feed that lives all the time is one."""
    steady = heard(*((seconds, False) for seconds in range(0, 9_000, 30)))
    assert len(steady._lives["b"].begins) == 1
    flapping = heard(*((seconds, seconds % 2 > 0) for seconds in range(4 * _STRETCHES)))
    assert len(flapping._lives["b"].begins) == _STRETCHES
    assert before(flapping, 10) == (-1, -1)
    assert before(flapping, 4 * _STRETCHES) == (4 * _STRETCHES - 2, 4 * _STRETCHES - 1)


@given(
    beats=st.lists(st.tuples(st.integers(0, 300), st.booleans()), max_size=12).map(sorted),
    seconds=st.integers(0, 400),
)
def test_stretches_say_what_the_heartbeats_say(beats: list[tuple[int, bool]], seconds: int) -> None:
    """The same as looking through all of them."""
    known = [(time, down) for time, down in beats if time < seconds]
    ups = [time for time, down in known if not down]
    down = bool(known) and known[-1][1]
    expected = not ups or down or seconds - ups[-1] > TIMEOUT_S
    assert is_down(heard(*beats), seconds) == expected


def test_the_time_is_the_records_where_it_has_none() -> None:
    """The key is the broker."""
    stamped = Record(1, "bör".encode(), UP, 7_000)
    assert read_heartbeat(stamped, NEWEST_NS) == ("bör", 7 * NS_PER_S, False)
    timed = Record(1, b"b", b'{"time": 5, "status": "down", "by": "x"}', 7_000)
    assert read_heartbeat(timed, NEWEST_NS) == ("b", 5 * NS_PER_MS, True)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (None, UP, "the key is empty; write the broker's name"),
        (b"\xff", UP, "utf-8"),
        (b"b", b"", "Expecting value"),
        (b"b", b"up", "Expecting value"),
        (b"b", b'"up"', 'the value is no {"status": "up"}'),
        (b"b", b'{"status": "UP"}', 'the value is no {"status": "up"}'),
        (b"b", b'{"status": ["up"]}', 'the value is no {"status": "up"}'),
        (b"b", b'{"time": 1.5, "status": "up"}', "`time` is 1.5; write ms since 1970"),
        (b"b", b'{"time": true, "status": "up"}', "`time` is True; write ms"),
        (b"b", b'{"time": -1, "status": "up"}', "`time` is -1; write ms"),
        (b"b", b'{"time": 10000001, "status": "up"}', "not ahead of the clock, or none"),
    ],
)
def test_what_is_no_heartbeat_is_told(key: bytes | None, value: bytes, said: str) -> None:
    """With what to write."""
    with pytest.raises(ValueError, match=re.escape(said)):
        read_heartbeat(Record(1, key, value, 7_000), NEWEST_NS)
