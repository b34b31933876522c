"""What leaves the pure book besides bars: its state records; and the bar of a late tick."""

from __future__ import annotations

from barengine.kernel._protocol import Payloads, Reject
from barengine.model import Bar, Touch

Record = tuple[bytes, bytes | None]
"""Key and value of a state record; no value: a tombstone."""


class PureBookBlock:
    """State records in the order in which they are given."""

    def __init__(self, records: list[Record]) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def encode(self, to: Payloads, time_ms: int) -> None:
        for key, value in self._records:
            to.add(key, value, (), time_ms)


def tick_bar(tick: Reject, bucket_end_ns: int) -> Bar:
    """The base bar of one late tick."""
    at = (tick.event_ns, tick.offset)
    volume = turnover = None
    if tick.size is not None:
        volume, turnover = tick.size, tick.size * tick.price
    return Bar(
        broker=tick.broker,
        symbol=tick.symbol,
        bucket_start_ns=tick.bucket_start_ns,
        bucket_end_ns=bucket_end_ns,
        open=tick.price,
        high=tick.price,
        low=tick.price,
        close=tick.price,
        tick_count=1,
        open_at=at,
        close_at=at,
        first_event_ns=tick.event_ns,
        last_event_ns=tick.event_ns,
        first_offset=tick.offset,
        last_offset=tick.offset,
        volume=volume,
        turnover=turnover,
        priced=bool(tick.touch & Touch.PRICE),
    )
