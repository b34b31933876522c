"""Blocks as record payloads, the pure ones packed by the pure twin; one series as a record."""

from __future__ import annotations

from typing import Final

from barengine.codec.state import encode_series_key, encode_series_value
from barengine.engine.state import StateRecord
from barengine.kernel import (
    BarBlock,
    BookBlock,
    EncodedRecords,
    Payloads,
    SeriesBlock,
    SeriesState,
)
from barengine.kernel._pure_payloads import Payloads as PurePayloads

EVERYTHING: Final = 2**62


def encoded(block: BarBlock, max_bytes: int = EVERYTHING) -> list[EncodedRecords]:
    """Bars in payloads of at most ``max_bytes``."""
    payloads = payloads_for(block, max_bytes)
    block.encode(payloads)
    return payloads.encoded()


def encoded_state(
    block: SeriesBlock | BookBlock, max_bytes: int = EVERYTHING, time_ms: int = 0
) -> list[EncodedRecords]:
    """State records in payloads of at most ``max_bytes``."""
    payloads = payloads_for(block, max_bytes)
    block.encode(payloads, time_ms)
    return payloads.encoded()


def payloads_for(block: object, max_bytes: int = EVERYTHING) -> Payloads:
    """The twin of it, empty."""
    pure = type(block).__name__.startswith("Pure")
    return PurePayloads(max_bytes) if pure else Payloads(max_bytes)


def series_record(state: SeriesState) -> StateRecord:
    """As a block writes it."""
    return StateRecord(
        encode_series_key(state.broker, state.symbol),
        encode_series_value(state.closed_through_ns, state.clock_ns),
    )
