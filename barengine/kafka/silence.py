"""Observed silence: how long a partition was seen to have nothing new.

    response      ok      ok          ok+data   failed  ok      ok
    left at end   yes     yes         yes       -       yes     no
    time      ----|-------|-----------|---------|-------|-------|--->
    counted       <-gap-> <---gap--->

A gap between two answers counts only if both left the position at the end that they reported.
Each gap is capped: an answer that came later than the broker was asked to wait says that someone
was blind meanwhile. A failed answer, a pause or a seek breaks the chain.
"""

from __future__ import annotations


class PartitionWatch:
    """What the answers for one partition have shown since its last seek. Times in ns.

    ``observed_ns`` and ``at_end`` speak of the newest answer whose data was handed out: whoever
    takes the data and then asks here has them in order.
    """

    def __init__(self, cap_ns: int) -> None:
        self._cap_ns = cap_ns
        self.epoch = 0
        self.observed_ns = 0
        self.at_end = False
        self._total_ns = 0
        self._last_ns: int | None = None

    def __repr__(self) -> str:
        return (
            f"<PartitionWatch epoch={self.epoch} observed={self.observed_ns}ns "
            f"at_end={self.at_end}>"
        )

    def restart(self) -> None:
        """A seek or a new assignment: count from zero, for a new reader of the data."""
        self.epoch += 1
        self.observed_ns = self._total_ns = 0
        self.at_end = False
        self._last_ns = None

    def broken(self) -> None:
        """Blind from here on: the next answer begins a new chain."""
        self._last_ns = None

    def answered(self, now_ns: int, at_end: bool) -> int:
        """A successful answer; returns the total silence up to it, its own gap included."""
        if at_end and self._last_ns is not None:
            self._total_ns += min(now_ns - self._last_ns, self._cap_ns)
        self._last_ns = now_ns if at_end else None
        return self._total_ns

    def handed(self, observed_ns: int, at_end: bool) -> None:
        """The data of an answer has gone to the reader (or it had none)."""
        self.observed_ns = observed_ns
        self.at_end = at_end
