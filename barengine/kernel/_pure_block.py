"""Closed bars of the pure kernel, and how they are written."""

from __future__ import annotations

from barengine.codec.bar import encode_bar_key, encode_bar_value
from barengine.codec.records import encode_record
from barengine.kernel._protocol import EncodedRecords, KernelConfig
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
        out: list[EncodedRecords] = []
        parts: list[bytes] = []
        size = base_ms = max_ms = 0
        for bar in self.bars():
            time_ms = bar.bucket_start_ns // NS_PER_MS
            key = self._config.key_header + encode_bar_key(bar, self._config.key_format)
            value = self._config.value_header + encode_bar_value(bar, self._config.period.name)
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
