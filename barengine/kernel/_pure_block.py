"""What leaves the pure kernel, bars and states of series, and how it is written."""

from __future__ import annotations

from barengine.codec.bar import encode_bar_key, encode_bar_value, encode_live_key
from barengine.codec.state import encode_series_key, encode_series_value
from barengine.kernel._protocol import BlockForm, Payloads, SeriesState
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

    def encode(self, to: Payloads) -> None:
        for bar in self._leaving():
            key, value = self._record(bar)
            to.add(key, value, (), bar.bucket_start_ns // NS_PER_MS)

    def _leaving(self) -> list[Bar]:
        if not self._form.skip_partial:
            return self._bars
        return [bar for bar in self._bars if not bar.partial]

    def _record(self, bar: Bar) -> tuple[bytes, bytes]:
        form = self._form
        key = form.key_header + encode_bar_key(bar, form.key_format)
        if form.live:
            key = encode_live_key(bar)
        value = form.value_header + encode_bar_value(bar, form.period)
        return key, value


class PureSeriesBlock:
    """States of series, in order of their first appearance."""

    def __init__(self, states: list[SeriesState]) -> None:
        self._states = states

    def __len__(self) -> int:
        return len(self._states)

    def states(self) -> list[SeriesState]:
        return self._states

    def encode(self, to: Payloads, time_ms: int) -> None:
        for state in self._states:
            key = encode_series_key(state.broker, state.symbol)
            value = encode_series_value(state.closed_through_ns, state.clock_ns)
            to.add(key, value, (), time_ms)
