"""What leaves the pure kernel, closed bars and states of series, and how it is written."""

from __future__ import annotations

from collections.abc import Iterable

from barengine.codec.bar import encode_bar_key, encode_bar_value
from barengine.codec.records import encode_record
from barengine.codec.state import encode_series_key, encode_series_value
from barengine.kernel._protocol import EncodedRecords, KernelConfig, SeriesState
from barengine.kernel._table import Series, Window, as_bar
from barengine.model import NS_PER_MS, Bar


class PureBarBlock:
    """Closed bars, in order of closing."""

    def __init__(self, config: KernelConfig, closed: list[tuple[Series, Window]]) -> None:
        self._config = config
        self._closed = closed

    def __len__(self) -> int:
        return len(self._closed)

    def bars(self) -> list[Bar]:
        length = self._config.period.length_ns
        return [as_bar(series, window, length) for series, window in self._closed]

    def encode(self, max_bytes: int) -> list[EncodedRecords]:
        return _packed(map(self._record, self.bars()), max_bytes)

    def _record(self, bar: Bar) -> tuple[int, bytes, bytes]:
        config = self._config
        key = config.key_header + encode_bar_key(bar, config.key_format)
        value = config.value_header + encode_bar_value(bar, config.period.name)
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
        return _packed(records, max_bytes)


def _packed(records: Iterable[tuple[int, bytes, bytes]], max_bytes: int) -> list[EncodedRecords]:
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
