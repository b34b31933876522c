"""Which fields of an input value make a tick, and the schema that is assumed without another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from barengine.codec.plan import Slot

RECORD_TIME: Final = "@record"
"""In place of a timestamp field: event time is the Kafka record timestamp."""

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

    ``timestamp`` may be ``@record``: it is then not read from the value.
    """

    broker: str = "broker"
    symbol: str = "symbol"
    timestamp: str = "timestamp"
    price: str = "bid"

    @property
    def record_time(self) -> bool:
        """Whether event time is the Kafka record timestamp."""
        return self.timestamp == RECORD_TIME

    def name(self, slot: Slot) -> str:
        """The configured field of a slot."""
        return (self.broker, self.symbol, self.timestamp, self.price)[slot]

    def slots(self) -> list[Slot]:
        """The slots that are read from the value, in their order."""
        return [slot for slot in Slot if slot is not Slot.TIME or not self.record_time]

    def want(self) -> Want:
        """The wanted fields as a tree over the parts of their paths."""
        root = Want()
        for slot in self.slots():
            place = root
            for part in self.name(slot).split("."):
                place = place.children.setdefault(part, Want())
            place.slots.append(slot)
        return root
