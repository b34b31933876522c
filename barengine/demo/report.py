"""What the check of bars found."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

_SPELLED_OUT: Final = 20
"""Differences kept in full; one defect tends to make thousands, and the first few tell it."""


class Kind(StrEnum):
    """What can be wrong."""

    MISSING = "missing bar"
    EXTRA = "extra bar"
    DUPLICATE = "duplicate bar"
    DIFFERENT = "different bar"
    LETTER = "wrong letter"
    TICK = "wrong treatment of a tick"


class Difference(NamedTuple):
    """One thing that is wrong."""

    kind: Kind
    where: str
    """Key of the bar, or ``partition P offset O`` of the input record."""
    field: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.field}: expected {self.expected}, got {self.got}"


@dataclass(slots=True)
class PeriodCount:
    """Records of one period."""

    finals: int = 0
    filled: int = 0
    """Finals of empty buckets."""
    corrections: int = 0
    open: int = 0
    """Buckets with ticks whose end has not come: no final is due."""

    def line(self, name: str) -> str:
        """For people."""
        parts = [f"{self.finals:,} final bars"]
        if self.filled:
            parts.append(f"{self.filled:,} of them filled")
        if self.corrections:
            parts.append(f"{self.corrections:,} corrections")
        if self.open:
            parts.append(f"{self.open:,} still open")
        return f"{name}: {', '.join(parts)}"


@dataclass(slots=True)
class Report:
    """Counts over everything checked, and the first differences in full."""

    ticks_in: int = 0
    """Input records, the bad ones too."""
    in_bars: int = 0
    """Sum of tick_count over the newest bars of the base window."""
    corrected: int = 0
    """So many of them came into their bars by corrections."""
    late: int = 0
    dead: int = 0
    bars_read: int = 0
    """Records, corrections too."""
    bars_expected: int = 0
    bars_exact: int = 0
    live: int = 0
    """Bars so far."""
    missing: int = 0
    extra: int = 0
    duplicates: int = 0
    different: int = 0
    unaccounted: int = 0
    """Ticks in no bar and in no letter."""
    counted_twice: int = 0
    """Ticks in two bars, or in a bar and in a letter."""
    letters_wrong: int = 0
    """Late and dead letters that cannot be right."""
    ticks_wrong: int = 0
    """Ticks in a bar that belong into a letter."""
    differences: list[Difference] = field(default_factory=list)
    """The first of them."""
    periods: dict[str, PeriodCount] = field(default_factory=dict)
    """What was read of each."""

    @property
    def ok(self) -> bool:
        """Whether every bar is exact and every tick accounted for."""
        return not (
            self.missing
            or self.extra
            or self.duplicates
            or self.different
            or self.unaccounted
            or self.counted_twice
            or self.letters_wrong
            or self.ticks_wrong
        )

    def add(self, difference: Difference) -> None:
        """Count one difference."""
        match difference.kind:
            case Kind.MISSING:
                self.missing += 1
            case Kind.EXTRA:
                self.extra += 1
            case Kind.DUPLICATE:
                self.duplicates += 1
            case Kind.DIFFERENT:
                self.different += 1
            case Kind.LETTER:
                self.letters_wrong += 1
            case Kind.TICK:
                self.ticks_wrong += 1
        self.explain(difference)

    def explain(self, difference: Difference) -> None:
        """Spell a difference out without counting it: one more field of the same bar."""
        if len(self.differences) < _SPELLED_OUT:
            self.differences.append(difference)

    def lines(self) -> list[str]:
        """The verdict for people: the last line says it, the ones before say why."""
        corrected = f" ({self.corrected:,} by corrections)" if self.corrected else ""
        accounts = [
            f"{self.ticks_in:,} records in: {self.in_bars:,} in bars{corrected}, "
            f"{self.late:,} late, {self.dead:,} dead letters, {self.unaccounted:,} unaccounted for"
        ]
        if len(self.periods) > 1 or any(
            one.filled or one.corrections for one in self.periods.values()
        ):
            accounts += [one.line(name) for name, one in self.periods.items()]
        if self.live:
            accounts.append(f"{self.live:,} live bars")
        if self.ok:
            return [*accounts, f"{self.bars_exact:,} bars, all exact"]
        wrong = {
            "missing": self.missing,
            "extra": self.extra,
            "duplicate": self.duplicates,
            "different": self.different,
            "ticks counted twice": self.counted_twice,
            "letters wrong": self.letters_wrong,
            "ticks treated wrongly": self.ticks_wrong,
            "ticks unaccounted for": self.unaccounted,
        }
        found = ", ".join(f"{count:,} {what}" for what, count in wrong.items() if count)
        return [
            *accounts,
            *map(str, self.differences),
            f"{self.bars_expected:,} bars expected, {self.bars_exact:,} exact: {found}",
        ]
