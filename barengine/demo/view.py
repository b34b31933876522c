"""The board on a terminal, or as plain lines where there is none."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from barengine.demo.board import Board
from barengine.demo.table import clean, price_text, table, time_of

_PLAIN_EVERY_S: Final = 2.0
_ABOVE: Final = 3
"""Lines: title and two of headings."""
_TALL: Final = 14
"""With fewer lines there are none for each period."""


@dataclass(slots=True)
class Status:
    """What the view says besides the board."""

    title: str
    phase: str
    total_s: float | None = None
    """How long ticks will be sent; None: until they or the user end."""
    began_s: float | None = None
    """When the first was sent."""
    tasks: Mapping[str, int] = field(default_factory=dict)
    """Number of partitions in each state."""
    lag: int = 0
    """Input records not yet read."""
    rate: float = 0.0
    """Ticks sent a second, lately."""
    address: str = ""
    """Where the engine serves metrics."""

    @property
    def elapsed_s(self) -> float:
        """Since the first tick."""
        return 0.0 if self.began_s is None else time.monotonic() - self.began_s


class LiveView:
    """A table that redraws itself in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def start(self) -> None:
        """Take the terminal."""
        self._live.start()

    def show(self, board: Board, status: Status) -> None:
        """Draw the present state."""
        width, height = self._console.size
        self._live.update(render(board, status, width, height), refresh=True)

    def stop(self) -> None:
        """Leave the last picture standing."""
        self._live.stop()


class PlainView:
    """A line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown_s, self._phase = 0.0, ""

    def start(self) -> None:
        """Nothing to take."""

    def show(self, board: Board, status: Status) -> None:
        """Say how it stands, if it is time to or the phase is another."""
        now_s = time.monotonic()
        if status.phase != self._phase:
            self._say(status.phase)
        elif now_s - self._shown_s >= _PLAIN_EVERY_S and board.sent:
            self._say(plain_line(board, status))
        else:
            return
        self._shown_s, self._phase = now_s, status.phase

    def stop(self) -> None:
        """Nothing to leave."""

    def _say(self, line: str) -> None:
        self._console.out(line, highlight=False)


View = LiveView | PlainView


def view_of(console: Console) -> View:
    """The view that fits where it is shown."""
    return LiveView(console) if console.is_terminal else PlainView(console)


# -- plain -------------------------------------------------------------------------------------


def plain_line(board: Board, status: Status) -> str:
    """One line for a log."""
    return "  ".join(
        (
            f"{status.elapsed_s:3.0f} s",
            f"{board.sent:,} ticks ({status.rate:,.0f}/s)",
            f"{board.bars:,} final bars",
            *(_periods(board) if _is_ladder(board) else ()),
            f"{board.late:,} late",
            f"{board.dead:,} dead",
            f"closing tick to commit {_latency(board)}",
            _tasks(status),
        )
    )


# -- picture -----------------------------------------------------------------------------------


def render(board: Board, status: Status, width: int, height: int) -> Text:
    """The whole picture, cut to the terminal: no line wraps, none is below its edge."""
    below = _below(board, status, brief=height < _TALL)
    room = max(1, height - _ABOVE - len(below) - 2)  # a blank line, and the cursor's
    lines = sorted(board.lines.values(), key=lambda line: (line.broker, line.symbol))
    hidden = len(lines) - room + 1 if len(lines) > room else 0
    table_ = table(lines[: len(lines) - hidden], width, [*board.counts], live=board.has_live)
    rows = [_title(status), *table_]
    if hidden:
        rows.append(Text(f" … and {hidden} more series", style="dim"))
    rows += [Text(""), *below]
    for row in rows:
        row.truncate(width, overflow="ellipsis")
    return Text("\n").join(rows)


def _title(status: Status) -> Text:
    time_ = f"{status.elapsed_s:.0f} s"
    if status.total_s is not None:
        time_ = f"{min(status.elapsed_s, status.total_s):.0f} of {status.total_s:.0f} s"
    rest = f" {status.title}   {time_}   {status.address}"
    return Text.assemble((" barengine demo ", "bold"), (rest, "dim"))


def _below(board: Board, status: Status, *, brief: bool) -> list[Text]:
    updates = f"   {board.updates:,} live updates" if board.has_live else ""
    totals = (
        f" {board.sent:,} ticks sent, {status.rate:,.0f}/s   {board.bars:,} final bars{updates}"
        f"   {board.late:,} late   {board.dead:,} dead letters"
    )
    rows = [totals]
    if _is_ladder(board) and not brief:
        rows += [f" {'   '.join(_periods(board))}", f" last correction: {_correction(board)}"]
    rows.append(f" closing tick → bar committed: {_latency(board)}   {_tasks(status)}")
    return [*map(Text, rows), Text(f" {status.phase}", style="bold")]


# -- words -------------------------------------------------------------------------------------


def _is_ladder(board: Board) -> bool:
    """Whether there is more to tell than how many bars there are."""
    counts = board.counts.values()
    return len(counts) > 1 or any(one.filled or one.corrections for one in counts)


def _periods(board: Board) -> Iterator[str]:
    """How many bars of each period there are, of which kind."""
    for name, one in board.counts.items():
        filled = f", {one.filled:,} filled" if one.filled else ""
        corrections = f", {one.corrections:,} corrections" if one.corrections else ""
        yield f"{name}: {one.bars:,}{filled}{corrections}"


def _correction(board: Board) -> str:
    if board.corrected is None:
        return "-"
    line, period, revision, bar = board.corrected
    return (
        f"{clean(line.name)} {period} of {time_of(bar)}, revision {revision}: close "
        f"{price_text(bar.close)}, {bar.ticks:,} ticks"
    )


def _latency(board: Board) -> str:
    latency = board.latency()
    if latency is None:
        return "-"
    median_s, most_s = latency
    return f"{median_s * 1_000:,.0f} ms (99 %: {most_s * 1_000:,.0f} ms)"


def _tasks(status: Status) -> str:
    tasks = ", ".join(f"{count} {state}" for state, count in sorted(status.tasks.items()))
    lag = f", lag {status.lag:,}" if status.lag else ""
    return tasks + lag
