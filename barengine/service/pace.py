"""How soon one transaction may follow another."""

from __future__ import annotations

from typing import Final

CREDIT_S: Final = 0.3
"""Time that a quiet while saves up. The brokers of one partition close the same bucket some
milliseconds apart, and none shall wait for COMMIT_INTERVAL because another one was first."""

FAR: Final = 20_000
"""Records waiting in the log beyond which whoever reads the bars waits for the catch-up to end, and
not for the newest of them."""

FAR_INTERVALS: Final = 3
"""Between two transactions then: each costs as much as ten thousand ticks, and the broker more."""

FAR_EACH: Final = 3
"""Transactions that all partitions of a process begin in an interval then, at most: where there are
many partitions, each waits for more intervals."""

FAR_MOST: Final = 30
"""Intervals, however many partitions there are: after a crash all of them are read again."""


class Pace:
    """One transaction in each interval, but a few at once after a quiet while.

    They may begin up to CREDIT_S before the time that an even pace would give them, so that an
    interval of 100 ms lets four follow one another after half a second without any. Who is behind
    gets no credit: there nobody waits for the newest bar. Who is far behind takes several intervals
    at once, and the more the more partitions share the process.

    Args:
        interval_s: COMMIT_INTERVAL.
        now: monotonic time, in s as everywhere here.
    """

    def __init__(self, interval_s: float, now: float) -> None:
        self._interval_s = interval_s
        self._even = now
        self._far_s = FAR_INTERVALS * interval_s

    def wait_s(self, now: float, backlog: int = 0) -> float:
        """Time until the next transaction may begin, 0 if it may now.

        ``backlog`` records are known to wait in the log.
        """
        more_s = -CREDIT_S if backlog == 0 else 0.0
        if backlog > FAR:
            more_s = self._far_s - self._interval_s
        return max(0.0, self._even + more_s - now)

    def begin(self, now: float, partitions: int = 1) -> None:
        """A transaction begins, whether its time had come or not, in a process of so many
        partitions."""
        intervals = min(FAR_MOST, max(FAR_INTERVALS, partitions / FAR_EACH))
        self._far_s = intervals * self._interval_s
        self._even = max(self._even, now) + self._interval_s
