"""Which fields of an input value make a tick, and the schema that is assumed without another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from barengine.codec.plan import Slot

RECORD_TIME: Final = "@record"
"""In place of a timestamp field: event time is the Kafka record timestamp."""

MID: Final = re.compile(r"mid\(([^(),\s]+),\s*([^(),\s]+)\)")
"""A price that is the mean of two fields, such as ``mid(bid,ask)``."""

TICK_SCHEMA: Final[dict[str, Any]] = {
    "type": "record",
    "name": "Tick",
    "namespace": "market",
    "doc": "One price observation. The schema assumed where no other is configured.",
    "fields": [
        {"name": "broker", "type": "string", "doc": "Who reports the price."},
        {"name": "symbol", "type": "string", "doc": "What is priced."},
        {
            "name": "timestamp",
            "type": {"type": "long", "logicalType": "timestamp-millis"},
            "doc": "Event time.",
        },
        {"name": "bid", "type": "double", "doc": "The price that becomes the bar's."},
    ],
}

SETTINGS: Final = {
    Slot.BROKER: "BARENGINE_FIELD_BROKER",
    Slot.SYMBOL: "BARENGINE_FIELD_SYMBOL",
    Slot.TIME: "BARENGINE_FIELD_TIMESTAMP",
    Slot.PRICE: "BARENGINE_FIELD_PRICE",
    Slot.ASK: "BARENGINE_FIELD_PRICE",
    Slot.SIZE: "BARENGINE_FIELD_SIZE",
    Slot.TOUCH: "BARENGINE_FIELD_FLAGS",
}
"""The setting that names each slot's field, for error messages."""


@dataclass(slots=True)
class Want:
    """What is wanted of a place in a value: the slots it fills itself, and those further in."""

    slots: list[Slot] = field(default_factory=list)
    children: dict[str, Want] = field(default_factory=dict)

    def all_slots(self) -> Iterator[Slot]:
        """Every slot filled from here or from further in."""
        yield from self.slots
        for child in self.children.values():
            yield from child.all_slots()


@dataclass(frozen=True, slots=True)
class Fields:
    """Names of the fields of a tick; ``quote.bid`` is field ``bid`` of the record ``quote``.

    ``timestamp`` may be ``@record``: it is then not read from the value. ``price`` may be
    ``mid(bid,ask)``: the mean of two fields. ``size`` and ``touch`` are None where there is none.
    """

    broker: str = "broker"
    symbol: str = "symbol"
    timestamp: str = "timestamp"
    price: str = "bid"
    size: str | None = None
    touch: str | None = None

    @property
    def record_time(self) -> bool:
        """Whether event time is the Kafka record timestamp."""
        return self.timestamp == RECORD_TIME

    @property
    def sides(self) -> tuple[str, ...]:
        """The one or two fields of the price."""
        match = MID.fullmatch(self.price)
        return (self.price,) if match is None else (match[1], match[2])

    def name(self, slot: Slot) -> str:
        """The configured field of a slot that is read."""
        return self._names()[slot]

    def slots(self) -> list[Slot]:
        """The slots that are read from the value, in their order."""
        return list(self._names())

    def _names(self) -> dict[Slot, str]:
        names = {Slot.BROKER: self.broker, Slot.SYMBOL: self.symbol}
        if not self.record_time:
            names[Slot.TIME] = self.timestamp
        names |= dict(zip((Slot.PRICE, Slot.ASK), self.sides, strict=False))
        for slot, name in ((Slot.SIZE, self.size), (Slot.TOUCH, self.touch)):
            if name is not None:
                names[slot] = name
        return names

    def want(self) -> Want:
        """The wanted fields as a tree over the parts of their paths."""
        root = Want()
        for slot in self.slots():
            place = root
            for part in self.name(slot).split("."):
                place = place.children.setdefault(part, Want())
            place.slots.append(slot)
        return root
