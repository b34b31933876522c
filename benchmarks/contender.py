"""What takes part in the comparison, and how one says what it does.

A contender is a program that runs as a process of its own, in any language. It reads a load's
topic from the beginning, as a member of the group it is given, and

* prints the line ``RUNNING`` when it has its first record: what came before (booting, joining the
  group) is not counted, for anyone;
* writes each 1m bar to the output topic (it exists, with the load's partitions) under the key
  ``BRK|SYM00001|bucket start in ms``, the value as its ``decode`` reads it. The last window of a
  series closes, too: each partition of a load ends with a tick two minutes later, of another
  symbol whose own bar nobody expects;
* or, if it makes no bars, prints ``DONE <records>`` when it has read all of them, closing ticks
  included;
* stays until SIGTERM, and ends then. Lines of the form ``NOTE name=number`` are kept with the
  run.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from benchmarks.load import Bar, Load
from benchmarks.ticks import UNITS

Decode = Callable[[bytes], Bar]
"""A bar from the value of a record; prices that are no whole number of units become -1."""

GRACE_MS: Final = 5_000
"""For whoever waits for late ticks: barengine's default. No load has any."""

_STRUCT: Final = struct.Struct("<ddddq")


class Job(NamedTuple):
    """One run of one contender: what to read, and where to write."""

    bootstrap: str
    topic: str
    output_topic: str
    """Its name ends with the bars' period."""
    group: str
    """New for each run; fit for whatever else needs a name of its own."""
    load: Load

    @property
    def partitions(self) -> int:
        """Of the topic to read, and of the one to write."""
        return self.load.partitions

    @property
    def records(self) -> int:
        """Records in the topic: the ticks and one closing tick a partition."""
        return self.load.ticks + self.load.partitions


class Command(NamedTuple):
    """How to start a contender; ``env`` comes on top of this process' own environment."""

    argv: list[str]
    env: Mapping[str, str] = {}


def decode_struct(value: bytes) -> Bar:
    """Open, high, low, close as doubles and the number of ticks, little-endian."""
    first, high, low, last, ticks = _STRUCT.unpack(value)
    units = exact_units
    return Bar(units(first), units(high), units(low), units(last), ticks)


def exact_units(price: float) -> int:
    """A price in units; -1 where it is not the double nearest to a whole number of them."""
    units = round(price * UNITS) if abs(price) < 1e12 else -1
    return units if units / UNITS == price else -1


def _here() -> str | None:
    return None


@dataclass(frozen=True)
class Contender:
    """One row of the comparison.

    Args:
        guarantee: in words, such as ``exactly once``, ``at least once``, ``reads only``.
        notes: how it is set up, for the reader of the table.
        ticks: the most that it gets; slow ones get fewer, at the same density.
        extra: only measured when asked for.
        decode: None for one that makes no bars.
        available: why it cannot be measured here; None: it can. May build or fetch what is needed.
    """

    name: str
    guarantee: str
    command: Callable[[Job], Command] = field(repr=False)
    notes: str = ""
    ticks: int = 5_000_000
    extra: bool = False
    decode: Decode | None = field(default=decode_struct, repr=False)
    available: Callable[[], str | None] = field(default=_here, repr=False)
