"""How much one transaction may carry: less after one that was not done in its time."""

from __future__ import annotations

from typing import Final

from barengine.engine.partition import BAR_BYTES

MOST: Final = 8 * 1024 * 1024
"""Output waiting beyond this holds the input back: memory and transactions stay bounded."""

LEAST: Final = 64 * 1024
"""In 15 s even 5 kB a second take this much, and a task that has come down to it is back at the
most after seven quick transactions."""

_QUICK: Final = 0.25
"""Of a transaction's time: twice as much is done in half of it, so it is worth trying."""


class Allowance:
    """Bytes of output, about, of one transaction. It outlives the recoveries of its task.

    A transaction that timed out is aborted as a whole, and recovery makes the same output again:
    on a slow line it would time out for ever.
    """

    def __init__(self) -> None:
        self.size = MOST

    def __repr__(self) -> str:
        return f"<Allowance {self.size} bytes>"

    @property
    def full(self) -> bool:
        """Whether it is what it was at first: only then windows are stored, tens of megabytes
        perhaps, which cannot be split."""
        return self.size == MOST

    @property
    def records(self) -> int:
        """Input records that may become as much, if each of them closes one bar."""
        return self.size // BAR_BYTES

    def timed_out(self, carried: int) -> None:
        """A transaction with so many bytes was not done in its time."""
        self.size = max(LEAST, min(self.size, carried) // 2)

    def committed(self, share: float) -> None:
        """A transaction took this share of the time that it had."""
        if share < _QUICK:
            self.size = min(MOST, self.size * 2)
