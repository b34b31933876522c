"""Random Avro types, each with a strategy for data that fastavro can write.

Unions are written with the branch's name beside the datum, so that the test, not fastavro's
guess, decides which branch is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]

INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@dataclass(frozen=True)
class Shape:
    """An Avro type and its data."""

    schema: Any
    data: st.SearchStrategy[Any]

    @property
    def name(self) -> str:
        """What fastavro calls this type in a union."""
        if not isinstance(self.schema, dict):
            return str(self.schema)
        return str(self.schema.get("name", self.schema["type"]))


LEAVES = [
    Shape("null", st.none()),
    Shape("boolean", st.booleans()),
    Shape("int", INT32),
    Shape("long", INT64),
    Shape("float", st.floats(width=32)),
    Shape("double", st.floats()),
    Shape("bytes", st.binary(max_size=12)),
    Shape("string", TEXT),
    Shape({"type": "int", "logicalType": "date"}, INT32),
    Shape({"type": "long", "logicalType": "time-micros"}, INT64),
    Shape({"type": "long", "logicalType": "timestamp-nanos"}, INT64),
    Shape({"type": "string", "logicalType": "uuid"}, TEXT),
    Shape(
        {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 3},
        st.binary(max_size=12),
    ),
]


def by_reference(schema: Any, seen: set[str] | None = None) -> Any:
    """The schema with every definition of a name, after the first, replaced by the name."""
    known = set() if seen is None else seen
    if isinstance(schema, list):
        return [by_reference(item, known) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("type"), str) and "." in schema.get("name", ""):
        if schema["name"] in known:
            return schema["name"]
        known.add(schema["name"])
    return {key: by_reference(item, known) for key, item in schema.items()}


class Types:
    """Draws types; named ones are drawn again, so their schemas need :func:`by_reference`."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._count = 0
        self._defined: list[Shape] = []

    def name(self, stem: str) -> str:
        """A full name that was not used before."""
        self._count += 1
        return f"{self._draw(st.sampled_from(['a', 'b.c']))}.{stem}{self._count}"

    def extra(self, depth: int = 3) -> Shape:
        """Any type of nonzero width or null, of at most ``depth`` levels."""
        kinds: list[Callable[[int], Shape]] = [self._leaf, self._enum, self._fixed]
        if depth:
            kinds += [self._array, self._map, self._record, self._union]
        if self._defined:
            kinds.append(self._again)
        return self._draw(st.sampled_from(kinds))(depth)  # type: ignore[no-any-return]

    def enum(self, symbols: tuple[str, ...] | None = None) -> Shape:
        """A new enum."""
        words = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True)
        chosen = symbols or self._draw(st.lists(words, min_size=1, max_size=4, unique=True))
        schema = {"type": "enum", "name": self.name("Enum"), "symbols": list(chosen)}
        return self._define(schema, st.sampled_from(list(chosen)))

    def fixed(self, size: int, **attributes: Any) -> Shape:
        """A new fixed."""
        schema = {"type": "fixed", "name": self.name("Fixed"), "size": size, **attributes}
        return self._define(schema, st.binary(min_size=size, max_size=size))

    def _define(self, schema: dict[str, Any], data: st.SearchStrategy[Any]) -> Shape:
        self._defined.append(Shape(schema, data))
        return self._defined[-1]

    def _leaf(self, _depth: int) -> Shape:
        return self._draw(st.sampled_from(LEAVES))  # type: ignore[no-any-return]

    def _again(self, _depth: int) -> Shape:
        return self._draw(st.sampled_from(self._defined))  # type: ignore[no-any-return]

    def _enum(self, _depth: int) -> Shape:
        return self.enum()

    def _fixed(self, _depth: int) -> Shape:
        return self.fixed(self._draw(st.integers(1, 5)))

    def _wide(self, depth: int) -> Shape:
        shape = self.extra(depth)
        return Shape("long", INT64) if shape.schema == "null" else shape

    def _array(self, depth: int) -> Shape:
        item = self._wide(depth - 1)
        return Shape({"type": "array", "items": item.schema}, st.lists(item.data, max_size=3))

    def _map(self, depth: int) -> Shape:
        item = self.extra(depth - 1)
        return Shape(
            {"type": "map", "values": item.schema}, st.dictionaries(TEXT, item.data, max_size=3)
        )

    def _record(self, depth: int) -> Shape:
        first = self._wide(depth - 1)
        more = [self.extra(depth - 1) for _ in range(self._draw(st.integers(0, 2)))]
        named = {f"f{index}": shape for index, shape in enumerate([first, *more])}
        schema = {
            "type": "record",
            "name": self.name("Record"),
            "fields": [{"name": name, "type": shape.schema} for name, shape in named.items()],
        }
        return self._define(
            schema, st.fixed_dictionaries({name: shape.data for name, shape in named.items()})
        )

    def _union(self, depth: int) -> Shape:
        drawn = [self.extra(depth - 1) for _ in range(self._draw(st.integers(1, 4)))]
        branches = {shape.name: shape for shape in drawn if not isinstance(shape.schema, list)}
        return union(list(branches.values()) or [LEAVES[0]])


def union(branches: list[Shape]) -> Shape:
    """A union of these types, which must be of different names."""
    return Shape(
        [shape.schema for shape in branches],
        st.one_of(*(shape.data.map(_beside(shape.name)) for shape in branches)),
    )


def _beside(name: str) -> Callable[[Any], Any]:
    return lambda datum: (name, datum)
