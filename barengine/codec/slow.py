"""Decoding record by record what no field plan can express: the same results, slower.

Walks the value along its schema. Not by fastavro's reader, which is made for values that it
wrote: a value of a few kilobytes, of a type that holds itself, overflows its C stack and ends
the process; an array of nulls that claims 2^60 items never ends; and it takes negative branch
and enum indexes to count from the end. An input topic may hold all three.
"""

from __future__ import annotations

from typing import Final

from barengine.codec.cursor import Cursor
from barengine.codec.fields import Fields, Want
from barengine.codec.json_value import json_decoder
from barengine.codec.leaf import check_fields, leaf_of
from barengine.codec.parse import MAX_NESTING, parse
from barengine.codec.plan import Slot
from barengine.codec.read import read_field
from barengine.codec.schema import (
    Array,
    Enum,
    Fixed,
    Json,
    Map,
    Node,
    Primitive,
    Record,
    Union,
    is_empty,
)
from barengine.codec.tick import DecodedTick, Found, SlowDecoder, assemble, undecodable

__all__ = ["MAX_VALUE_DEPTH", "json_decoder", "slow_decoder"]

MAX_VALUE_DEPTH: Final = 2 * MAX_NESTING + 2
"""Deepest nesting of a value that is read; a deeper one is UNDECODABLE. A plan reaches this
depth at most (a union around each of its MAX_NESTING types), and 1000 calls, the interpreter's
own limit, are far."""

_NOTHING: Final = Want()
_FIXED_WIDTHS: Final = {"null": 0, "boolean": 1, "float": 4, "double": 8}


def slow_decoder(schema: Json, fields: Fields, price_scale: int) -> SlowDecoder:
    """A decoder for values of this writer schema; reasons as in :func:`read.run_plan`.

    Where a union chose a branch of a type that the field cannot have, the value is UNDECODABLE;
    where it chose one in which there is no such field, MISSING_FIELD.

    Raises:
        SchemaError: no value of this schema can become a tick, or it is no Avro schema.
    """
    root = parse(schema)
    check_fields(root, fields)
    want, slots = fields.want(), fields.slots()

    def decode(value: bytes) -> DecodedTick:
        walk = _Walk(Cursor(value), price_scale, Slot.ASK in slots)
        walk.read(root, want, 0)
        walk.cursor.finish()
        return assemble(walk.found, slots, price_scale)

    return decode


class _Walk:
    """One value on its way through its schema."""

    __slots__ = ("cursor", "found", "mid", "price_scale")

    def __init__(self, cursor: Cursor, price_scale: int, mid: bool) -> None:
        self.cursor = cursor
        self.price_scale = price_scale
        self.mid = mid
        self.found: dict[Slot, Found] = {}

    def read(self, node: Node, want: Want, depth: int) -> None:
        """Move over one value of this type; keep what is wanted of it."""
        if depth > MAX_VALUE_DEPTH:
            raise undecodable()
        if isinstance(node, Union):
            branch = node.branches[self.cursor.index(len(node.branches))]
            self.read(branch, want, depth + 1)
        elif want.slots:
            self._keep(node, want.slots)
        elif not is_empty(node):
            self._read_inner(node, want, depth)

    def _keep(self, node: Node, slots: list[Slot]) -> None:
        start = self.cursor.pos
        for slot in slots:
            leaf = leaf_of(node, slot)
            if leaf is None:
                raise undecodable()
            self.cursor.pos = start
            found = read_field(self.cursor, leaf, slot, self.price_scale, mid=self.mid)
            self.found[slot] = found

    def _read_inner(self, node: Node, want: Want, depth: int) -> None:
        match node:
            case Record():
                for name, field in node.fields.items():
                    self.read(field, want.children.get(name, _NOTHING), depth + 1)
            case Array(items=item):
                self._read_items(item, depth, keyed=False)
            case Map(values=item):
                self._read_items(item, depth, keyed=True)
            case Enum():
                self.cursor.varint()
            case Fixed():
                self.cursor.take(node.size)
            case Primitive(type="int" | "long"):
                self.cursor.varint()
            case Primitive(type="bytes" | "string"):
                self.cursor.sized()
            case Primitive():
                self.cursor.take(_FIXED_WIDTHS[node.type])

    def _read_items(self, item: Node, depth: int, *, keyed: bool) -> None:
        # Items without bytes are not counted off: any number of them is there.
        while left := self.cursor.block():
            while left and (keyed or not is_empty(item)):
                if keyed:
                    self.cursor.sized()
                self.read(item, _NOTHING, depth + 1)
                left -= 1
