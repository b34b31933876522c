"""One session of a market, and many of them as flat arrays."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from datetime import date

EPOCH_DAY = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Session:
    """The hours of one trading date: [open_ns, close_ns) in ns since the epoch, UTC.

    The sessions of a market are disjoint and ascending; a trading date has one at most.
    """

    market: str
    trading_date: date
    open_ns: int
    close_ns: int
    breaks: tuple[tuple[int, int], ...] = ()
    """[start_ns, end_ns) each, disjoint, ascending, inside the session."""

    @property
    def trading_day(self) -> int:
        """The trading date in days since the epoch, as Avro's ``date`` has it."""
        return self.trading_date.toordinal() - EPOCH_DAY

    def trades_at(self, time_ns: int) -> bool:
        """Whether the time is in the session and in none of its breaks."""
        inside = self.open_ns <= time_ns < self.close_ns
        return inside and not any(start <= time_ns < end for start, end in self.breaks)


@dataclass(frozen=True, slots=True)
class SessionArrays:
    """What a market does in [from_ns, to_ns), for a compiled reader: ``array('q')`` each.

    ``opens``, ``closes`` and ``trading_days`` are of equal length: every session that has a part
    of the range, uncut. Breaks and halts are their starts and ends, over all sessions. Every
    array is ascending, so that a reader can search it by halves. Outside the range they say
    nothing. Times are ns since the epoch, trading days are days since it.
    """

    from_ns: int
    to_ns: int
    opens: array[int]
    closes: array[int]
    trading_days: array[int]
    break_starts: array[int]
    break_ends: array[int]
    halt_starts: array[int]
    halt_ends: array[int]
