"""Random writer schemas around a tick, and random values of them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random
from typing import Any, Final

from tests.unit.kernel.build import NOON_MS, text, varint

Schema = Any
_DEPTH: Final = 3

_PRICES: Final[tuple[Schema, ...]] = (
    "double",
    "float",
    "int",
    "long",
    "string",
    {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 5},
    {"type": "bytes", "logicalType": "decimal", "precision": 40, "scale": 30},
)
_TIMES: Final[tuple[Schema, ...]] = (
    "long",
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "long", "logicalType": "timestamp-micros"},
    {"type": "long", "logicalType": "timestamp-nanos"},
)
_LEAVES: Final[tuple[Schema, ...]] = (
    *("null", "boolean", "int", "long", "float", "double", "bytes", "string"),
)


def random_schema(rng: Random) -> Schema:
    """A record that holds the fields of a tick, each maybe nullable, among others."""
    names = Names()
    wanted = {
        "broker": "string",
        "symbol": rng.choice(("string", {"type": "string", "logicalType": "uuid"})),
        "timestamp": rng.choice(_TIMES),
        "bid": rng.choice(_PRICES),
        "ask": rng.choice(_PRICES),
        "qty": rng.choice(_PRICES),
        "flags": rng.choice(("string", "int", names.touches())),
    }
    fields = [(name, _nullable(rng, kind)) for name, kind in wanted.items()]
    fields += [(f"extra{n}", extra(rng, names, _DEPTH)) for n in range(rng.randrange(4))]
    rng.shuffle(fields)
    return names.record(fields)


class Names:
    """Gives each named type a name of its own."""

    def __init__(self) -> None:
        self._count = 0

    def fresh(self) -> str:
        """A name that was not used before."""
        self._count += 1
        return f"t{self._count}"

    def touches(self) -> Schema:
        """An enum of what a tick may touch."""
        return {"type": "enum", "name": self.fresh(), "symbols": ["BOTH", "volume", "other"]}

    def record(self, fields: list[tuple[str, Schema]]) -> Schema:
        """A record of these fields."""
        named = [{"name": name, "type": kind} for name, kind in fields]
        return {"type": "record", "name": self.fresh(), "fields": named}


def _nullable(rng: Random, kind: Schema) -> Schema:
    return rng.choice((kind, kind, ["null", kind], [kind, "null"]))


def extra(rng: Random, names: Names, depth: int) -> Schema:
    """Any type, nested at most so deep."""
    kind = rng.choice(("leaf", "leaf", "enum", "fixed", "array", "map", "record", "union"))
    if kind == "enum":
        return {"type": "enum", "name": names.fresh(), "symbols": ["A", "B", "C"]}
    if kind == "fixed":
        return {"type": "fixed", "name": names.fresh(), "size": rng.choice((0, 1, 7, 200))}
    if kind == "leaf" or depth == 0:
        return rng.choice(_LEAVES)
    if kind == "array":
        return {"type": "array", "items": extra(rng, names, depth - 1)}
    if kind == "map":
        return {"type": "map", "values": extra(rng, names, depth - 1)}
    if kind == "record":
        inner = [(f"f{n}", extra(rng, names, depth - 1)) for n in range(rng.randrange(4))]
        return names.record(inner)
    return ["null", names.record([("only", extra(rng, names, depth - 1))])]


def damaged(rng: Random, schema: Schema) -> Schema:
    """The schema with one of its parts exchanged for something else."""
    if isinstance(schema, dict) and schema and rng.random() < 0.8:
        key = rng.choice(list(schema))
        return {**schema, key: damaged(rng, schema[key])}
    if isinstance(schema, list) and schema and rng.random() < 0.8:
        place = rng.randrange(len(schema))
        return [*schema[:place], damaged(rng, schema[place]), *schema[place + 1 :]]
    return rng.choice(
        (None, 0, -1, 10**30, "", "t1", "long", [], {}, ["null"], {"type": "t1"}, 1.5, True)
    )


def random_value(rng: Random, schema: Schema) -> bytes:
    """Avro binary that the schema allows, the names and times those of a market."""
    return _Writer(rng).write(schema, "")


class _Writer:
    """Writes along a schema."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        rare = rng.getrandbits(63)
        self._leaves: dict[str, Callable[[str], bytes]] = {
            "null": lambda _: b"",
            "boolean": lambda _: rng.choice((b"\0", b"\1")),
            "int": lambda name: varint(self._bits() if name == "flags" else rng.getrandbits(31)),
            "long": lambda name: varint(self._time() if name == "timestamp" else rare),
            "float": lambda _: struct.pack("<f", rng.uniform(-9, 9)),
            "double": lambda _: struct.pack("<d", rng.uniform(-9, 9)),
            "bytes": self._sized,
            "string": self._sized,
        }

    def write(self, schema: Schema, name: str) -> bytes:
        """One value of a type; ``name`` is that of the field it stands in."""
        if isinstance(schema, list):
            place = self._rng.randrange(len(schema))
            if schema[place] == "null" and self._rng.random() < 0.8:
                place = 1 - place
            return varint(place) + self.write(schema[place], name)
        if not isinstance(schema, dict):
            return self._leaves[schema](name)
        match schema["type"]:
            case "record":
                return b"".join(self.write(one["type"], one["name"]) for one in schema["fields"])
            case "enum":
                return varint(self._rng.randrange(3))
            case "fixed":
                return self._rng.randbytes(schema["size"])
            case "array":
                return self._blocks(lambda: self.write(schema["items"], ""))
            case "map":
                return self._blocks(lambda: text("key") + self.write(schema["values"], ""))
            case primitive:
                return self._leaves[primitive](name)

    def _bits(self) -> int:
        return self._rng.choice((1, 2, 3, 3, 0, 4, -(2**31)))

    def _time(self) -> int:
        return (NOON_MS + self._rng.randrange(300_000)) * self._rng.choice((1, 1, 1000, 10**6))

    def _sized(self, name: str) -> bytes:
        rng = self._rng
        if name == "bid":
            return text(rng.choice((b"1.25", b"-1e3", b"\x01\x00", rng.randbytes(9))))
        return text(rng.choice(("A", "B", "EURUSD", "日経平均", "N" * rng.randrange(300))))

    def _blocks(self, item: Callable[[], bytes]) -> bytes:
        rng, out = self._rng, []
        for _ in range(rng.randrange(3)):
            items = [item() for _ in range(rng.randint(1, 3))]
            content = b"".join(items)
            sized = rng.random() < 0.3  # a negative count: the block's size follows
            head = varint(-len(items)) + varint(len(content)) if sized else varint(len(items))
            out.append(head + content)
        return b"".join(out) + b"\0"
