"""The schedule of a running engine: read, watched, replaced by a good one, kept over a bad one."""

from __future__ import annotations

import os
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.typing import EventDict

from barengine.errors import ConfigurationError
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.follow import Record
from barengine.model import Period
from barengine.schedule import Market, Schedule
from barengine.service.exposition import render
from barengine.service.metrics import Metrics
from barengine.service.schedule_load import check_market, read_schedule
from barengine.service.schedule_source import FileSource, open_schedule
from barengine.service.schedule_topic import Refusal, ScheduleBook
from barengine.settings import load_settings

NOWHERE = ConnectionConfig("127.0.0.1:1")
GOOD = """
default: M
markets: {M: {zone: America/New_York, sessions: {mon-fri: {open: 09:30, close: 16:00}}}}
"""
CORRECTED = GOOD.replace("16:00", "17:00")
MINUTE = Period.parse("1m")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "markets.yaml"
    path.write_text(GOOD)
    return path


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("", "1", "k")


def replace(path: Path, text: str | None) -> None:
    """Another file in its place, or none; written in Latin 1."""
    path.unlink(missing_ok=True)
    if text is not None:
        path.write_text(text, "latin-1")


def reloads(metrics: Metrics) -> tuple[int, int]:
    """Applied, refused."""
    lines = render(metrics.registry, "")[0].decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    name = 'barengine_schedule_reloads_total{outcome="%s"}'
    return int(float(values[name % "applied"])), int(float(values[name % "refused"]))


async def polled(source: FileSource) -> tuple[bool, list[EventDict]]:
    with structlog.testing.capture_logs() as logs:
        changed = await source.poll()
    return changed, logs


async def test_a_file_that_stays_as_it_is_is_not_read_again(path: Path, metrics: Metrics) -> None:
    """Nor is one that was only touched a new version."""
    source = FileSource(path, MINUTE, metrics)
    current = source.current
    assert await polled(source) == (False, [])
    os.utime(path, ns=(1, 1))
    assert await polled(source) == (False, [])
    assert source.current is current
    assert reloads(metrics) == (0, 0)


async def test_a_new_file_is_in_force_at_the_next_poll(path: Path, metrics: Metrics) -> None:
    """Put in the place of the old one, as Kubernetes does."""
    source = FileSource(path, MINUTE, metrics)
    old = source.current
    replace(path, CORRECTED)
    changed, [line] = await polled(source)
    assert changed
    assert line["event"] == "schedule_applied"
    assert source.current != old
    assert await polled(source) == (False, [])
    assert reloads(metrics) == (1, 0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD.replace("16:00", "26:00"), "line 3: `markets.M.sessions.mon-fri.close` is '26:00'"),
        (GOOD.replace("16:00", "16:00:30"), "the close at 16:00:30 America/New_York"),
        (GOOD.replace("default: M", "default: N"), "line 2: `default` is 'N': no such market"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
async def test_a_bad_file_is_refused_once_and_the_old_one_stays(
    path: Path, metrics: Metrics, text: str | None, problem: str
) -> None:
    """It is logged with every problem and counted; when it is good again, it counts."""
    source = FileSource(path, MINUTE, metrics)
    old = source.current
    replace(path, text)
    changed, [line] = await polled(source)
    assert not changed
    assert (line["event"], line["log_level"]) == ("schedule_refused", "error")
    assert problem in line["problems"][0]
    assert await polled(source) == (False, [])
    assert source.current is old
    replace(path, CORRECTED + "\n")
    assert (await polled(source))[0]
    assert reloads(metrics) == (1, 1)


async def test_a_bad_file_at_start_is_an_error(path: Path) -> None:
    """There is no old one to stay with; the error names the file as the user did."""
    replace(path, GOOD.replace("16:00", "16:00:30"))
    settings = load_settings(None, {"BARENGINE_SCHEDULE": str(path)})
    with pytest.raises(ConfigurationError, match="is no multiple of the window 1m"):
        await open_schedule(settings, NOWHERE)
    replace(path, "\xff")
    with pytest.raises(ConfigurationError, match=r"markets.yaml cannot be read \(not UTF-8\)"):
        await open_schedule(settings, NOWHERE)


async def test_each_kind_of_source_opens(path: Path) -> None:
    """A file, an exchange, nothing; the same can be read once, for the command line."""
    for text, zone in ((str(path), "America/New_York"), ("exchange:XLON", "Europe/London")):
        settings = load_settings(None, {"BARENGINE_SCHEDULE": text})
        source = await open_schedule(settings, NOWHERE)
        assert source is not None
        market = source.current.market_of("any")
        assert market is not None
        assert market.zone == zone
        assert not await source.poll()
        assert await read_schedule(settings, NOWHERE) == source.current
        await source.close()
    assert await open_schedule(load_settings(None, {}), NOWHERE) is None
    assert await read_schedule(load_settings(None, {}), NOWHERE) == Schedule()


async def test_an_exchange_must_fit_the_window() -> None:
    """As any schedule."""
    settings = load_settings(
        None, {"BARENGINE_SCHEDULE": "exchange:XNYS", "BARENGINE_WINDOW": "1h"}
    )
    with pytest.raises(ConfigurationError, match="set WINDOW to 30m or a part of it"):
        await open_schedule(settings, NOWHERE)


# -- what a topic holds ------------------------------------------------------------------------

ROUND = b"{zone: UTC, sessions: 24h}"


STOCKS = b"{zone: America/New_York, sessions: {mon-fri: {open: 09:30, close: 16:00}}}"
BAD = b"zone: Mars/Olympus"
X_BY_A = b'{"brokers": {"x": "A"}}'


def records(*pairs: tuple[bytes, bytes | None]) -> list[Record]:
    """Keys and values at offsets that count up."""
    return [Record(offset, key, value) for offset, (key, value) in enumerate(pairs)]


def zones(book: ScheduleBook) -> dict[str, str]:
    """What is in force: the zone of each market."""
    return {name: market.zone for name, market in book.schedule.markets.items()}


def offsets(refused: list[Refusal]) -> list[int]:
    return [one.record.offset for one in refused]


def test_the_newest_record_of_a_key_counts() -> None:
    """A tombstone takes a market away; ``_brokers`` says who trades where."""
    book = ScheduleBook("t")
    refused = book.begin(
        records((b"A", BAD), (b"A", ROUND), (b"B", ROUND), (b"_brokers", X_BY_A), (b"B", None))
    )
    assert refused == [], "what a right one has replaced is no news"
    schedule = book.schedule
    assert list(schedule.markets) == ["A"]
    assert schedule.market_of("x") is schedule.markets["A"]
    assert schedule.market_of("y") is None


def test_at_start_the_last_version_that_works_counts() -> None:
    """As for an engine that has been running all the time: both cut the same bars."""
    book = ScheduleBook("t")
    refused = book.begin(records((b"A", ROUND), (b"B", STOCKS), (b"B", BAD), (b"B", b"{")))
    assert zones(book) == {"A": "UTC", "B": "America/New_York"}
    assert offsets(refused) == [2, 3]


def test_at_start_a_key_without_a_version_that_works_is_an_error() -> None:
    """What held before was compacted away: the error says so, and why this one does not work."""
    with pytest.raises(ConfigurationError) as error:
        ScheduleBook("t").begin(records((b"A", ROUND), (b"B", BAD)))
    why, *_, way_out = error.value.problems
    assert why.startswith("topic t, key 'B', offset 1 line 1: `zone` is 'Mars/Olympus'")
    assert way_out.startswith("topic t, key 'B', offset 1: the topic holds no version of it that")


def test_under_way_a_new_market_that_cannot_work_is_refused() -> None:
    """Nothing held before, and nothing holds now; the others are not held up by it."""
    book = ScheduleBook("t")
    book.begin(records((b"A", ROUND)))
    assert offsets(book.take([Record(1, b"B", BAD)])) == [1]
    assert book.take([Record(2, b"C", ROUND), Record(3, b"_brokers", X_BY_A)]) == []
    assert set(zones(book)) == {"A", "C"}
    assert book.schedule.market_of("x") is book.schedule.markets["A"]


def test_what_cannot_work_together_is_in_force_as_far_as_it_can() -> None:
    """A broker's market that is not there yet, or is to go: refused until others let it."""
    book = ScheduleBook("t")
    assert book.begin(records((b"_brokers", X_BY_A), (b"A", ROUND), (b"B", ROUND))) == []
    refused = book.take([Record(3, b"A", None), Record(4, b"B", STOCKS)])
    assert offsets(refused) == [3]
    assert zones(book) == {"A": "UTC", "B": "America/New_York"}
    assert book.take([Record(5, b"_brokers", b"default: B")]) == []
    assert zones(book) == {"B": "America/New_York"}


LINES = st.sampled_from(
    [
        *((key, value) for key in (b"A", b"B") for value in (ROUND, STOCKS, BAD, None)),
        *((b"_brokers", value) for value in (X_BY_A, b"default: B", b"{}", b"{", None)),
    ]
)


@given(lines=st.lists(LINES, max_size=9), cuts=st.sets(st.integers(0, 9)))
def test_where_the_records_are_cut_makes_no_difference(
    lines: list[tuple[bytes, bytes | None]], cuts: set[int]
) -> None:
    """One look at all of them, one at each, or anything between."""
    whole, each, cut = ScheduleBook("t"), ScheduleBook("t"), ScheduleBook("t")
    log = records(*lines)
    whole.take(log)
    for one in log:
        each.take([one])
    edges = [0, *sorted(edge for edge in cuts if edge < len(log)), len(log)]
    for begin, end in pairwise(edges):
        cut.take(log[begin:end])
    assert whole.schedule == each.schedule == cut.schedule


def test_many_records_of_a_key_are_read_once() -> None:
    """Of all that has come, the newest that works alone: each costs a tenth of a second."""
    checked: list[Market] = []
    book = ScheduleBook("t", checked.append)
    book.begin(records(*[(b"A", ROUND), (b"B", STOCKS)] * 50))
    book.take([Record(100, b"_brokers", X_BY_A), Record(101, b"B", None)])
    assert sorted(market.name for market in checked) == ["A", "B"]


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (Record(7, b"A", b"zone: UTC"), "topic t, key 'A', offset 7 line 1: the document is a gr"),
        (
            Record(7, b"A", b"\xff"),
            "topic t, key 'A', offset 7: the value is not UTF-8; write YAML",
        ),
        (Record(7, b"A B", ROUND), "topic t, key 'A B', offset 7: the name is 'A B': a market's"),
        (Record(7, None, ROUND), "topic t, key none, offset 7: the name is '': a market's name is"),
        (Record(7, b"_brokers", b"default: C"), "topic t: the market of the default is 'C', which"),
        (Record(7, b"_brokers", b"markets: {}"), "topic t, key '_brokers', offset 7 line 1: `mark"),
        (Record(7, b"A", b""), "topic t, key 'A', offset 7 is empty"),
        (
            Record(7, b"A", STOCKS.replace(b"16:00", b"16:00:30")),
            "topic t, key 'A', offset 7: market A, 1990-01-01: the close at 16:00:30 America/New",
        ),
    ],
)
def test_a_bad_record_is_named_by_topic_key_and_offset(record: Record, problem: str) -> None:
    """And by the line within it."""
    with pytest.raises(ConfigurationError) as error:
        ScheduleBook("t", partial(check_market, period=MINUTE)).begin(
            [Record(1, b"D", ROUND), record]
        )
    assert error.value.problems[0].startswith(problem)
