"""Avro writer schema to field plan."""

from __future__ import annotations

from typing import Final

from barengine.codec.fields import Fields, Want
from barengine.codec.leaf import check_fields, leaf_of
from barengine.codec.parse import MAX_NESTING, parse
from barengine.codec.plan import MAX_DEPTH, FieldPlan, Kind, Op, Slot
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

MAX_WORDS: Final = 65_536
"""A schema whose plan is longer is read slowly: types that hold each other by name can double
the plan with every line of schema."""

_NOTHING: Final = Want()
_FIXED_WIDTHS: Final = {"boolean": 1, "float": 4, "double": 8}
_VARINTS: Final = ("int", "long")


def compile_plan(schema: Json, fields: Fields) -> FieldPlan | None:
    """The plan that reads values of this writer schema; None where it must be read slowly.

    Slow are: types that hold themselves, arrays and maps nested over MAX_DEPTH, arrays of items
    that occupy no bytes, plans over MAX_WORDS, two slots from one field, and unions in which
    some branch (null excepted) has the field missing or of a type that is no such field.

    A timestamp without a logical type is in milliseconds.

    Raises:
        SchemaError: no value of this schema can become a tick, or it is no Avro schema.
    """
    root = parse(schema)
    if not check_fields(root, fields):
        return None
    compiler = _Compiler()
    try:
        compiler.walk(root, fields.want())
        compiler.emit(Op.END)
    except _InexpressibleError:
        return None
    return FieldPlan(tuple(compiler.words), tuple(compiler.enums))


class _InexpressibleError(Exception):
    """The schema needs the slow path."""


class _Compiler:
    def __init__(self) -> None:
        self.words: list[int] = []
        self.enums: list[tuple[bytes, ...]] = []
        self._open: list[Node] = []
        """The records, arrays and maps around the place that is being compiled."""

    def emit(self, *words: int) -> int:
        """Append words; returns the place of the first."""
        place = len(self.words)
        self.words.extend(words)
        if len(self.words) > MAX_WORDS:
            raise _InexpressibleError
        return place

    def walk(self, node: Node, want: Want) -> None:
        """Code that reads one value of this type and keeps what is wanted of it."""
        match node:
            case Union():
                self._union(node, want)
            case _ if want.slots:
                self._store(node, want.slots)
            case _ if is_empty(node) and not want.children:
                pass
            case Primitive(type="null"):
                for slot in want.all_slots():
                    self.emit(Op.STORE, slot, Kind.NULL, 0, 0)
            case Record():
                self._enter(node)
                for name, field in node.fields.items():
                    self.walk(field, want.children.get(name, _NOTHING))
                self._open.pop()
            case _:
                self._skip(node)

    def _skip(self, node: Node) -> None:
        match node:
            case Array():
                self._blocks(node, node.items)
            case Map():
                self._blocks(node, node.values)
            case Fixed():
                self.emit(Op.SKIP_FIXED, node.size)
            case Primitive(type=kind) if kind in _FIXED_WIDTHS:
                self.emit(Op.SKIP_FIXED, _FIXED_WIDTHS[kind])
            case Enum():
                self.emit(Op.SKIP_VARINT)
            case Primitive(type=kind):
                self.emit(Op.SKIP_VARINT if kind in _VARINTS else Op.SKIP_BYTES)

    def _store(self, node: Node, slots: list[Slot]) -> None:
        for slot in slots:
            leaf = leaf_of(node, slot)
            if leaf is None or (len(slots) > 1 and leaf.kind is not Kind.NULL):
                raise _InexpressibleError
            operand = leaf.a
            if leaf.symbols or leaf.kind in (Kind.NAME_ENUM, Kind.TOUCH_ENUM):
                operand = len(self.enums)
                self.enums.append(leaf.symbols)
            self.emit(Op.STORE, slot, leaf.kind, operand, leaf.b)

    def _union(self, node: Union, want: Want) -> None:
        size = len(node.branches)
        targets = self.emit(Op.UNION, size, *(0 for _ in range(size))) + 2
        jumps = []
        for index, branch in enumerate(node.branches):
            self.words[targets + index] = len(self.words)
            self.walk(branch, want)
            jumps.append(self.emit(Op.JUMP, 0))
        for jump in jumps:
            self.words[jump + 1] = len(self.words)

    def _blocks(self, node: Array | Map, item: Node) -> None:
        self._enter(node)
        if sum(isinstance(outer, Array | Map) for outer in self._open) > MAX_DEPTH:
            raise _InexpressibleError
        start = self.emit(Op.BLOCKS, 0)
        if isinstance(node, Map):
            self.emit(Op.SKIP_BYTES)
        elif is_empty(item):
            raise _InexpressibleError
        self.walk(item, _NOTHING)
        self.emit(Op.NEXT)
        self.words[start + 1] = len(self.words)
        self._open.pop()

    def _enter(self, node: Node) -> None:
        if len(self._open) >= MAX_NESTING:  # a type that holds itself ends here too
            raise _InexpressibleError
        self._open.append(node)
