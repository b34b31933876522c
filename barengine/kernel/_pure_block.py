"""What leaves the pure kernel, bars and states of series, and how it is written."""

from __future__ import annotations

from collections.abc import Iterable

from barengine.codec.bar import encode_bar_key, encode_bar_value, encode_live_key
from barengine.codec.records import encode_record
from barengine.codec.state import encode_series_key, encode_series_value
from barengine.kernel._protocol import BlockForm, EncodedRecords, SeriesState
from barengine.model import NS_PER_MS, Bar


class PureBarBlock:
    """Bars, in the order in which they are given."""

    def __init__(self, form: BlockForm, bars: list[Bar]) -> None:
        self._form = form
        self._bars = bars

    def __len__(self) -> int:
        return len(self._bars)

    @property
    def skipped(self) -> int:
        return len(self._bars) - len(self._leaving())

    def bars(self) -> list[Bar]:
        return self._bars

    def encode(self, max_bytes: int) -> list[EncodedRecords]:
        return packed(map(self._record, self._leaving()), max_bytes)

    def _leaving(self) -> list[Bar]:
        if not self._form.skip_partial:
            return self._bars
        return [bar for bar in self._bars if not bar.partial]

    def _record(self, bar: Bar) -> tuple[int, bytes, bytes]:
        form = self._form
        key = form.key_header + encode_bar_key(bar, form.key_format)
        if form.live:
            key = encode_live_key(bar)
        value = form.value_header + encode_bar_value(bar, form.period)
        return bar.bucket_start_ns // NS_PER_MS, key, value


class PureSeriesBlock:
    """States of series, in order of their first appearance."""

    def __init__(self, states: list[SeriesState]) -> None:
        self._states = states

    def __len__(self) -> int:
        return len(self._states)

    def states(self) -> list[SeriesState]:
        return self._states

    def encode(self, max_bytes: int, time_ms: int) -> list[EncodedRecords]:
        records = (
            (
                time_ms,
                encode_series_key(state.broker, state.symbol),
                encode_series_value(state.closed_through_ns, state.clock_ns),
            )
            for state in self._states
        )
        return packed(records, max_bytes)


def packed(
    records: Iterable[tuple[int, bytes, bytes | None]], max_bytes: int
) -> list[EncodedRecords]:
    """Records of time in ms, key and value in payloads of at most ``max_bytes``, one at least."""
    out: list[EncodedRecords] = []
    parts: list[bytes] = []
    size = base_ms = max_ms = 0
    for time_ms, key, value in records:
        if parts:
            record = encode_record(len(parts), time_ms - base_ms, key, value, [])
            if size + len(record) > max_bytes:
                out.append(EncodedRecords(b"".join(parts), len(parts), base_ms, max_ms))
                parts = []
        if not parts:
            size, base_ms, max_ms = 0, time_ms, time_ms
            record = encode_record(0, 0, key, value, [])
        parts.append(record)
        size += len(record)
        max_ms = max(max_ms, time_ms)
    if parts:
        out.append(EncodedRecords(b"".join(parts), len(parts), base_ms, max_ms))
    return out
