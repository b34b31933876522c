"""What ``barengine state show`` makes of a stored state."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from barengine.cli.state import BrokerView, PartitionView, fingerprint_text, text_of, view_of
from barengine.codec.page import (
    encode_kept_key,
    encode_kept_value,
    encode_page_key,
    encode_page_value,
)
from barengine.engine.state import (
    PartitionRecord,
    StateImage,
    StateRecord,
    StoredBlock,
    book_record,
    broker_record,
    partition_record,
    ranges_record,
    windows_record,
)
from barengine.kernel import BookStart, BrokerState, SeriesState
from barengine.model import NEVER, Bar
from tests.encoded import series_record

NS = 10**9
T0_NS = 1_790_000_000 * NS


_BAR = Bar(
    broker="b",
    symbol="s",
    bucket_start_ns=0,
    bucket_end_ns=NS,
    open=1,
    high=1,
    low=1,
    close=1,
    tick_count=1,
    open_at=(0, 0),
    close_at=(0, 0),
    first_event_ns=0,
    last_event_ns=0,
    first_offset=0,
    last_offset=0,
)
PAGE = encode_page_value(NS, 1, 0, [("1m", _BAR), ("5m", _BAR)])


@pytest.fixture
def image() -> StateImage:
    """C = 120, L = 100, two brokers of which one was never closed, and rejected offsets."""
    return StateImage.read(
        [
            partition_record(PartitionRecord(120, 100, 7, True, json.dumps({"WINDOW": "5s"}))),
            broker_record(BrokerState("b", T0_NS, T0_NS, T0_NS, NEVER, NEVER, T0_NS + 1_999_999)),
            broker_record(BrokerState("a|x", T0_NS + NS // 2, 0, 0, T0_NS - NS, 0, T0_NS)),
            series_record(SeriesState("b", "s", 1, 1)),
            ranges_record(0, [(101, 103), (110, 111)]),
            windows_record(0, StoredBlock(100, 800, b"")),
            windows_record(1, StoredBlock(100, 434, b"")),
            book_record(BookStart("b", NS, NEVER, {"1m": NEVER, "5m": T0_NS})),
            StateRecord(encode_page_key("b", "s"), PAGE),
            StateRecord(encode_kept_key("b", "s", "5s", 0), encode_kept_value(_BAR)),
        ]
    )


def test_a_view_says_what_is_stored(image: StateImage) -> None:
    """C, L, seq, clocks in UTC, series, rejected ranges, fingerprint, and the log's ends."""
    assert view_of(3, image, 5, 130) == PartitionView(
        3,
        120,
        100,
        7,
        True,
        5,
        130,
        [
            BrokerView(
                "a|x", "2026-09-21T14:13:20.500Z", "2026-09-21T14:13:19Z", "2026-09-21T14:13:20Z"
            ),
            BrokerView("b", "2026-09-21T14:13:20Z", None, "2026-09-21T14:13:20.001Z"),
        ],
        1,
        {"b": {"1m": None, "5m": "2026-09-21T14:13:20Z", "corrections": None}},
        1,
        2,
        1,
        [(101, 103), (110, 111)],
        1234,
        {"WINDOW": "5s"},
    )


def test_lag_and_replay_are_differences(image: StateImage) -> None:
    """Lag is the log's end less C, what a restart reads again is C less L."""
    view = view_of(3, image, 5, 130)
    assert (view.replay, view.lag) == (20, 10)
    as_json = json.loads(json.dumps(view.as_json()))
    assert (as_json["replay"], as_json["lag"], as_json["brokers"][0]["broker"]) == (20, 10, "a|x")


def test_the_text_says_the_same(image: StateImage) -> None:
    """In lines that fit 80 columns."""
    text = list(text_of(view_of(3, image, 5, 130)))
    assert text == [
        "",
        "partition 3: commit 7, processed up to C 120; log 5 to 130, lag 10",
        "  a restart reads 20 records again, from L 100",
        "  broker market clock             closed through       last arrival",
        "  a|x    2026-09-21T14:13:20.500Z 2026-09-21T14:13:19Z 2026-09-21T14:13:20Z",
        "  b      2026-09-21T14:13:20Z     -                    2026-09-21T14:13:20.001Z",
        "  1 series records; 2 rejected ranges of 3 offsets; began at the log's start",
        "  1 pages of series: 2 open roll-ups, 1 bars that late ticks can correct",
        "  b: 5m since 2026-09-21T14:13:20Z; older ones are not whole",
        "  1,234 windows are stored in full (RESTORE_MAX)",
    ]
    assert max(map(len, text)) <= 80


def test_a_state_that_cannot_go_on_is_told(image: StateImage) -> None:
    """L before the log's start, or C behind its end: recovery would refuse, too."""
    assert "  L is no longer in the log, which begins at 101: it cannot go on" in text_of(
        view_of(0, image, 101, 130)
    )
    assert "  C is beyond the log, which ends at 119: it cannot go on" in text_of(
        view_of(0, image, 5, 119)
    )


def test_nothing_committed_is_said() -> None:
    """A partition without a state has the whole log before it."""
    view = view_of(0, StateImage(), 5, 30)
    assert (view.lag, view.replay, view.fingerprint) == (25, None, {})
    assert list(text_of(view)) == ["", "partition 0: nothing is committed; log 5 to 30, lag 25"]


def test_a_fingerprint_is_shown_once(image: StateImage) -> None:
    """Partitions with the same settings share one; another one stands apart."""
    same = [view_of(number, image, 0, 130) for number in (0, 1)]
    other = replace(view_of(2, image, 0, 130), fingerprint={"WINDOW": "1m"})
    assert list(fingerprint_text([*same, other])) == [
        "",
        "fingerprint of partition 0, 1:",
        "  WINDOW: 5s",
        "",
        "fingerprint of partition 2:",
        "  WINDOW: 1m",
    ]
