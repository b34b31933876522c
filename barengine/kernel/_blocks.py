"""What leaves a kernel in bulk: bars, states of series, open windows, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from barengine.kernel._pure_payloads import Payloads
from barengine.model import Bar, KeyFormat, Order


@dataclass(frozen=True, slots=True)
class BlockForm:
    """How the bars of one block are written: what they have in common."""

    period: str
    order: Order = Order.EVENT_TIME
    key_format: KeyFormat = KeyFormat.STRING
    key_header: bytes = b""
    value_header: bytes = b""
    """As in :class:`KernelConfig`."""
    skip_partial: bool = False
    live: bool = False
    """Bars so far: ``final`` is false, the key is the text ``broker|symbol``."""


class SeriesState(NamedTuple):
    """What WATERMARK=series must remember of one series."""

    broker: str
    symbol: str
    closed_through_ns: int
    clock_ns: int


@dataclass(frozen=True, slots=True)
class WindowBlock:
    """Open windows as recovery stores them; ``_pure_stored`` has the layout."""

    count: int
    content: bytes
    """So many windows back to back."""


class OpenWindows(Protocol):
    """Open windows as they were at one instant, on their way into the state."""

    def __len__(self) -> int: ...

    def pack(self, max_bytes: int) -> list[WindowBlock]:
        """Blocks of at most ``max_bytes`` each (one window at least), in the order of first
        ticks."""
        ...


class BarBlock(Protocol):
    """Closed bars on their way out, in order of closing."""

    def __len__(self) -> int: ...

    @property
    def skipped(self) -> int:
        """How many of them are left out because they are partial."""
        ...

    def encode(self, to: Payloads) -> None:
        """Append keys and Avro values; the record timestamp is bucket_start in ms.

        Under ``skip_partial`` bars that are partial are left out.
        """
        ...

    def bars(self) -> list[Bar]:
        """All of the bars as objects, skipped ones too: for tests and tools, not the hot path."""
        ...


class SeriesBlock(Protocol):
    """States of series on their way out, in order of first appearance."""

    def __len__(self) -> int: ...

    def encode(self, to: Payloads, time_ms: int) -> None:
        """Append state records, all under the record timestamp ``time_ms``;
        :mod:`barengine.codec.state` has the format."""
        ...

    def states(self) -> list[SeriesState]:
        """The same as objects: for tests and tools, not for the hot path."""
        ...
