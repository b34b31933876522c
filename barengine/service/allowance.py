"""How much one transaction may carry: less after one that was not done in its time."""

from __future__ import annotations

from typing import Final

from barengine.engine.partition import BAR_BYTES

MOST: Final = 8 * 1024 * 1024
"""Output waiting beyond this holds the input back: memory and transactions stay bounded."""

LEAST: Final = 64 * 1024
"""In 15 s even 5 kB a second take this much, and a task that has come down to it is back at the
most after seven quick transactions."""

_PAUSE: Final = 64
"""Transactions without open windows after one that had them and timed out; twice as many each time.
They cannot be split, and to try at once again would time out for ever."""

_QUICK: Final = 0.25
"""Of a transaction's time: twice as much is done in half of it, so it is worth trying."""


class Allowance:
    """Bytes of output, about, of one transaction. It outlives the recoveries of its task.

    A transaction that timed out is aborted as a whole, and recovery makes the same output again:
    on a slow line it would time out for ever.
    """

    def __init__(self) -> None:
        self.size = MOST
        self._pause = self._left = 0

    def __repr__(self) -> str:
        return f"<Allowance {self.size} bytes>"

    @property
    def may_store(self) -> bool:
        """Whether open windows may be stored, too, tens of megabytes perhaps: only where the line
        takes the most, and not soon after it has not taken them."""
        return self.size == MOST and self._left == 0

    @property
    def records(self) -> int:
        """Input records that may become as much, if each of them closes one bar."""
        return self.size // BAR_BYTES

    def timed_out(self, carried: int, *, stored: bool = False) -> None:
        """A transaction with so many bytes, and perhaps open windows, was not done in its time."""
        self.size = max(LEAST, min(self.size, carried) // 2)
        if stored:
            self._pause = self._left = max(_PAUSE, 2 * self._pause)

    def committed(self, share: float) -> None:
        """A transaction took this share of the time that it had."""
        self._left = max(0, self._left - 1)
        if share < _QUICK:
            self.size = min(MOST, self.size * 2)
