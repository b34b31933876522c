"""The picture fits the terminal that it is drawn on, whatever is in it."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from barengine.demo.board import Board, Candle
from barengine.demo.ticks import Planned
from barengine.demo.view import LiveView, PlainView, Status, plain_line, render, view_of
from barengine.model import Period, Watermark

T0 = 1_790_000_000_000
STATUS = Status("5s bars, grace 1s", "playing", 30.0, tasks={"running": 4})


def filled(
    brokers: int = 3, symbols: int = 8, name: str = "SYMBOL", rollups: Sequence[str] = ()
) -> Board:
    more = [Period.parse(text) for text in rollups]
    board = Board(Period.parse("5s"), 10**9, 9, Watermark.BROKER, more)
    for broker in range(brokers):
        for symbol in range(symbols):
            tick = Planned(0, f"broker{broker}", f"{name}{symbol}", T0, 64_123.5, b"")
            board.tick(0, tick, 0.0, T0)
            line = board.lines[tick.broker, tick.symbol]
            line.finals["5s"] = Candle(T0, 1.0, 64_999.0, 0.5, 9.0, 4321)
            for period in rollups:
                line.finals[period] = Candle(T0, 1.0, 64_999.0, 0.5, 123.25, 4321)
    return board


@pytest.mark.parametrize("width", [40, 60, 80, 104, 160])
@pytest.mark.parametrize("height", [10, 24, 50])
@pytest.mark.parametrize("name", ["EURUSD", "a-symbol-that-goes-on-and-on-and-on"])
@pytest.mark.parametrize("rollups", [(), ("1m", "5m", "1h")])
def test_the_picture_fits(width: int, height: int, name: str, rollups: Sequence[str]) -> None:
    """No line is wider than the terminal, and there are not more lines than it has."""
    lines = render(filled(name=name, rollups=rollups), STATUS, width, height).plain.split("\n")
    assert max(map(len, lines)) <= width
    assert len(lines) < height
    assert lines[-1].strip() == "playing"


def test_80_columns_show_the_whole_final_bar() -> None:
    """Names, both closes, both tick counts and the final bar's four prices."""
    picture = render(filled(1, 1, "EURUSD"), STATUS, 80, 24).plain
    assert "broker0 EURUSD0" not in picture  # three characters too long, cut
    row = next(line for line in picture.split("\n") if "EURU" in line)
    numbers = "64123.50     1 14:13:20  1.00000 64999.00  0.50000  9.00000 4,321"
    assert row.endswith(numbers)


def test_a_wide_terminal_shows_the_whole_current_bar() -> None:
    """Its open, high and low, too."""
    row = next(
        line
        for line in render(filled(1, 1), STATUS, 120, 24).plain.split("\n")
        if "SYMBOL0" in line
    )
    assert row.split()[:7] == ["broker0", "SYMBOL0", *["64123.50"] * 4, "1"]


def test_roll_ups_stand_beside_as_far_as_there_is_room() -> None:
    """Close and ticks of each; an empty bucket shows why it is empty, a correction what it is."""
    board = filled(1, 1, "EUR", ("1m", "1h"))
    line = board.lines["broker0", "EUR0"]
    line.finals["5s"] = Candle(T0, 2.5, 2.5, 2.5, 2.5, 0, "feed_down")
    board.corrected = line, "1m", 3, line.finals["1m"]
    board.counts["5s"].filled = 7
    picture = render(board, STATUS, 80, 24).plain.split("\n")
    numbers = "64123.50     1 14:13:20  2.50000  down  123.250 4,321  123.250 4,321"
    assert picture[3].endswith(numbers)
    assert [part.strip() for part in picture[1].split("─") if part.strip()] == [
        "now",
        "last final 5s bar",
        "1m",
        "1h",
    ]
    assert " 5s: 0, 7 filled   1m: 0   1h: 0" in picture
    assert any("broker0 EUR0 1m of 14:13:20, revision 3: close 123.250" in row for row in picture)
    assert "1m" not in render(board, STATUS, 50, 24).plain.split("\n")[1]


def test_series_without_room_are_counted() -> None:
    """What is not shown is said."""
    lines = render(filled(), STATUS, 80, 20).plain.split("\n")
    assert any(line.startswith(" … and 13 more series") for line in lines)


def test_names_from_a_file_cannot_harm_the_picture() -> None:
    """Control characters and markup are shown, not obeyed."""
    picture = render(filled(1, 1, "[red]\x1b[2J\n"), STATUS, 120, 24).plain
    assert "[red]?[2J?0" in picture


def test_nothing_to_show_yet_is_a_picture_too() -> None:
    """Before the first tick."""
    empty = Board(Period.parse("5s"), 10**9, 9, Watermark.BROKER)
    assert "0 ticks sent" in render(empty, STATUS, 80, 24).plain


def test_a_pipe_gets_lines_and_a_terminal_a_picture() -> None:
    """Who is no terminal is not sent control sequences."""
    assert isinstance(view_of(Console(file=io.StringIO())), PlainView)
    assert isinstance(view_of(Console(file=io.StringIO(), force_terminal=True)), LiveView)


def test_plain_lines_come_now_and_then() -> None:
    """A new phase is said at once, the state of affairs not at every call."""
    out = io.StringIO()
    view = PlainView(Console(file=out, width=20))
    board = filled()
    for phase in ("one", "one", "two", "two"):
        view.show(board, Status("", phase))
    assert out.getvalue().split("\n") == ["one", "two", ""]


def test_a_plain_line_says_it_all() -> None:
    """Ticks, bars, late, dead, latency and tasks in one line."""
    board = filled()
    board.late, board.dead = 5, 7
    board.counts["5s"].bars = 48
    assert plain_line(board, STATUS).split("  ") == [
        "",
        "0 s",
        "24 ticks (0/s)",
        "48 final bars",
        "5 late",
        "7 dead",
        "closing tick to commit -",
        "4 running",
    ]
