"""A CSV file is played as it stands, or refused with line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from barengine.demo.csv_ticks import Facts, play, read_time, scan
from barengine.demo.tick_reader import read_names, read_tick
from barengine.errors import ConfigurationError

HEADER = "broker,symbol,timestamp,price\n"


def write(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "ticks.csv"
    path.write_bytes(text.encode(encoding))
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        scan(path)
    return [problem.removeprefix(str(path)) for problem in refused.value.problems]


def test_ticks_are_played_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Without a speed all are due at once, later event times before earlier ones too."""
    path = write(tmp_path, HEADER + 'a,"x,y",2000,1.5\nb,z,1970-01-01T00:00:01Z,-2\n')
    ticks = list(play(path, None))
    assert [(each.broker, each.symbol, each.event_ms, each.price) for each in ticks] == [
        ("a", "x,y", 2000, 1.5),
        ("b", "z", 1000, -2.0),
    ]
    assert {each.due_ms for each in ticks} == {0.0}
    decoded = read_tick(ticks[0].value)
    assert (read_names(decoded.names), decoded.time_ms, decoded.price) == (("a", "x,y"), 2000, 1.5)


def test_speed_stretches_event_time(tmp_path: Path) -> None:
    """At twice real time a tick two seconds on is due after one; none is due before another."""
    path = write(tmp_path, HEADER + "a,b,1000,1\na,b,3000,1\na,b,2000,1\na,b,5000,1\n")
    assert [each.due_ms for each in play(path, 2.0)] == [0.0, 1000.0, 1000.0, 2000.0]


@pytest.mark.parametrize(
    "header",
    [
        "broker,symbol,timestamp,bid",
        "\ufeffBroker, SYMBOL ,Timestamp,Price",
        "price,ask,timestamp,symbol,broker",
    ],
)
def test_columns_are_found_by_name(tmp_path: Path, header: str) -> None:
    """Order, case, spaces, a byte order mark and further columns do not matter."""
    names = [name.strip().lower() for name in header.removeprefix("\ufeff").split(",")]
    row = {"broker": "a", "symbol": "b", "timestamp": "7", "price": "1", "bid": "1", "ask": "9"}
    path = write(tmp_path, f"{header}\n{','.join(row[name] for name in names)}\n\n")
    [tick] = play(path, None)
    assert (tick.broker, tick.symbol, tick.event_ms, tick.price) == ("a", "b", 7, 1.0)


def test_a_first_pass_tells_what_is_in_it(tmp_path: Path) -> None:
    """Rows, span, series, and how far ticks are behind their broker's and their own clock."""
    rows = "a,x,1000,1\na,x,9000,1\na,y,2000,1\na,y,1500,1\nb,x,3000,1\n"
    assert scan(write(tmp_path, HEADER + rows)) == Facts(5, 1000, 9000, 3, 7500, 500)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a,b,soon,1", "column timestamp: 'soon' is no time; write epoch milliseconds or"),
        ("a,b,2026-01-01T00:00:00,1", "column timestamp: '2026-01-01T00:00:00' has no zone"),
        ("a,b,1790000000000000,1", "column timestamp: 1790000000000000 lies beyond the year 2100"),
        ("a,b,1.5,1", "column timestamp: '1.5' is no time"),
        (",b,1,1", "column broker: it is empty"),
        (f"a,{'é' * 129},1,1", "column symbol: it is longer than 256 bytes"),
        ("a,b,1,nan", "column price: 'nan' is no price"),
        ("a,b,1,1_0", "column price: '1_0' is no price"),
        ("a,b,1,", "column price: '' is no price"),
        ("a,b,1,1e10", "column price: 1e10 is too large"),
        ("a,b,1", "column price: missing, the line has 3 columns"),
    ],
)
def test_a_wrong_field_is_told_with_line_and_column(tmp_path: Path, row: str, told: str) -> None:
    """The third line is wrong, and the message says so."""
    [problem] = problems(write(tmp_path, f"{HEADER}a,b,1,1\n{row}\na,b,2,2\n"))
    assert problem.startswith(f" line 3, {told}")


def test_several_problems_are_told_at_once_but_not_all(tmp_path: Path) -> None:
    """Five are enough to see what is wrong with a file."""
    found = problems(write(tmp_path, HEADER + "a,b,x,1\n" * 1000))
    assert [problem.split(",")[0] for problem in found] == [f" line {n}" for n in range(2, 7)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "missing: broker, symbol, timestamp, price or bid; it is: empty"),
        ("a;b;c\n1;2;3\n", "missing: broker, symbol, timestamp, price or bid; it is: a;b;c"),
        ("broker,symbol,time,price\n", "missing: timestamp; it is: broker,symbol,time,price"),
        (HEADER, "holds no tick behind its header"),
    ],
)
def test_a_file_without_ticks_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """A header that lacks a column is shown, with what it lacks."""
    [problem] = problems(write(tmp_path, text))
    assert told in problem


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Another encoding, or no file at all."""
    assert problems(write(tmp_path, HEADER + "é,b,1,1\n", "latin-1")) == [" is not UTF-8"]
    assert "cannot be read" in problems(tmp_path / "none.csv")[0]


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    """What the first pass has not seen is checked when it is played."""
    path = write(tmp_path, HEADER + "a,b,1,1\na,b,x,1\n")
    with pytest.raises(ConfigurationError, match="line 3, column timestamp"):
        list(play(path, None))


@pytest.mark.parametrize(
    ("text", "event_ms"),
    [
        ("-1", -1),
        ("1970-01-01T01:00:00.0019+01:00", 1),
        ("1969-12-31T23:59:59.9985Z", -2),
        ("1970-01-01 00:00:02Z", 2000),
    ],
)
def test_times_are_cut_to_the_millisecond(text: str, event_ms: int) -> None:
    """The built-in schema has milliseconds; what is finer is cut off, never rounded up."""
    assert read_time(text) == event_ms
