"""Avro schemas: from parsed JSON to typed nodes.

Not by fastavro's parser, because a writer's schema must be read as leniently as the
specification asks: a bad default or an invalid logical type is no reason to refuse a topic.
Names: https://avro.apache.org/docs/1.12.0/specification/#names
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

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
from barengine.errors import SchemaError

PRIMITIVES: Final = frozenset(
    {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
)
MAX_NESTING: Final = 100
"""Deepest nesting of a schema; keeps every recursion over it inside the interpreter's stack."""

MAX_FIXED_SIZE: Final = 2**31 - 1
"""A field plan holds sizes in 32 bits."""

MAX_DECIMAL_SCALE: Final = 1024
"""Far beyond what databases store; bounds the powers of ten that a schema can ask for."""

_INVALID_DECIMAL: Final = ("invalid decimal", None)
_SHORT: Final = 120

_M = TypeVar("_M", list[Any], int)
_N = TypeVar("_N", bound=Record | Enum | Fixed)


def parse(schema: Json) -> Node:
    """The graph of a schema given as parsed JSON.

    Raises:
        SchemaError: it is no Avro schema, or nested over MAX_NESTING levels.
    """
    return _Parser().node(schema, "", 0)


class _Parser:
    def __init__(self) -> None:
        self._named: dict[str, Node] = {}

    def node(self, schema: object, space: str, depth: int) -> Node:
        if depth > MAX_NESTING:
            raise SchemaError(f"the schema is nested over {MAX_NESTING} levels deep")
        match schema:
            case list():
                return self._union(schema, space, depth)
            case str():
                return self._typed(schema, {}, space, depth)
            case dict() if isinstance(kind := schema.get("type"), str):
                return self._typed(kind, schema, space, depth)
            case dict() if "type" in schema:
                return self.node(schema["type"], space, depth + 1)
            case _:
                raise SchemaError(f"no Avro schema: {_short(schema)}")

    def _typed(self, kind: str, schema: dict[str, Any], space: str, depth: int) -> Node:
        match kind:
            case _ if kind in PRIMITIVES:
                return Primitive(kind, *_logical(schema))
            case "array":
                return Array(self.node(schema.get("items"), space, depth + 1))
            case "map":
                return Map(self.node(schema.get("values"), space, depth + 1))
            case "record" | "error":
                return self._record(schema, space, depth)
            case "enum":
                return self._define(schema, space, _enum)
            case "fixed":
                return self._define(schema, space, _fixed)
            case _:
                return self._named_type(kind, space)

    def _union(self, schema: list[Any], space: str, depth: int) -> Node:
        branches = tuple(self.node(branch, space, depth + 1) for branch in schema)
        if any(isinstance(branch, Union) for branch in branches):
            raise SchemaError(f"a union in a union: {_short(schema)}")
        return Union(branches)

    def _record(self, schema: dict[str, Any], space: str, depth: int) -> Node:
        record = self._define(schema, space, lambda _, name: Record(name, {}))
        inner_space = record.name.rpartition(".")[0]
        for field in _member(schema, "fields", list):
            match field:
                case {"name": str() as name, "type": kind} if name not in record.fields:
                    record.fields[name] = self.node(kind, inner_space, depth + 1)
                case _:
                    raise SchemaError(f"{record.label} cannot have the field {_short(field)}")
        record.empty = all(is_empty(field) for field in record.fields.values())
        return record

    def _define(
        self, schema: dict[str, Any], space: str, make: Callable[[dict[str, Any], str], _N]
    ) -> _N:
        name = _full_name(schema, space)
        if name in self._named:
            raise SchemaError(f"the schema defines {name} twice")
        node = make(schema, name)
        self._named[name] = node
        return node

    def _named_type(self, name: str, space: str) -> Node:
        # A name without a dot belongs to the enclosing namespace, or else to none: Java's rule.
        in_space = f"{space}.{name}" if space and "." not in name else name
        node = self._named.get(in_space) or self._named.get(name)
        if node is None:
            raise SchemaError(f"the schema uses the type {name} before it defines it")
        return node


def _member(schema: dict[str, Any], key: str, kind: type[_M]) -> _M:
    value = schema.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise SchemaError(f"no {key} in {_short(schema)}")
    return value


def _enum(schema: dict[str, Any], name: str) -> Enum:
    return Enum(name, tuple(map(str, _member(schema, "symbols", list))))


def _fixed(schema: dict[str, Any], name: str) -> Fixed:
    size = _member(schema, "size", int)
    if not 0 <= size <= MAX_FIXED_SIZE:
        raise SchemaError(f"{size} bytes are no size of the fixed {name}")
    return Fixed(name, size, *_logical(schema))


def _full_name(schema: dict[str, Any], space: str) -> str:
    match schema:
        case {"name": str() as name} if "." in name:
            return name
        case {"name": str() as name, "namespace": str() as own_space}:
            return f"{own_space}.{name}" if own_space else name
        case {"name": str() as name}:
            return f"{space}.{name}" if space else name
        case _:
            raise SchemaError(f"no name in {_short(schema)}")


def _logical(schema: dict[str, Any]) -> tuple[str | None, int | None]:
    """Logical type and, for a valid decimal, its scale (0 where it is not given)."""
    logical = schema.get("logicalType")
    if logical != "decimal":
        return (logical if isinstance(logical, str) else None), None
    scale = schema.get("scale", 0)
    precision = schema.get("precision", MAX_DECIMAL_SCALE)
    if not (isinstance(scale, int) and isinstance(precision, int)):
        return _INVALID_DECIMAL
    if not 0 <= scale <= min(precision, MAX_DECIMAL_SCALE):
        return _INVALID_DECIMAL
    return "decimal", int(scale)


def _short(schema: object) -> str:
    """The schema in at most a line, for error messages."""
    text = json.dumps(schema, default=str)
    return text if len(text) <= _SHORT else text[:_SHORT] + " …"
