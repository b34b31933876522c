"""An Avro schema as a graph of typed nodes: names are resolved, logical types checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any] | list[Any] | str
"""A schema as its JSON text reads."""


@dataclass(frozen=True, slots=True, eq=False)
class Primitive:
    """null, boolean, int, long, float, double, bytes or string."""

    type: str
    logical: str | None = None
    scale: int | None = None
    """Of a valid decimal; None otherwise."""

    @property
    def label(self) -> str:
        """How error messages call this type."""
        return f"{self.type} ({self.logical})" if self.logical else self.type


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """``size`` bytes."""

    name: str
    size: int
    logical: str | None = None
    scale: int | None = None

    @property
    def label(self) -> str:
        """How error messages call this type."""
        return f"fixed {self.name}" + (f" ({self.logical})" if self.logical else "")


@dataclass(frozen=True, slots=True, eq=False)
class Enum:
    """One of ``symbols``, written as its index."""

    name: str
    symbols: tuple[str, ...]

    @property
    def label(self) -> str:
        """How error messages call this type."""
        return f"enum {self.name}"


@dataclass(slots=True, eq=False)
class Record:
    """Fields one after the other. Filled after it is made, because it may hold itself."""

    name: str
    fields: dict[str, Node]
    empty: bool = False
    """Occupies no bytes. Never true of a record that holds itself."""

    @property
    def label(self) -> str:
        """How error messages call this type."""
        return f"record {self.name}"


@dataclass(frozen=True, slots=True, eq=False)
class Union:
    """A branch index, then a value of that branch."""

    branches: tuple[Node, ...]

    @property
    def label(self) -> str:
        """How error messages call this type."""
        return f"union of {', '.join(branch.label for branch in self.branches)}"


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """Blocks of items."""

    items: Node
    label: str = "array"


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """Blocks of string keys and values."""

    values: Node
    label: str = "map"


Node = Primitive | Fixed | Enum | Record | Union | Array | Map


def is_empty(node: Node) -> bool:
    """Whether values of this type occupy no bytes at all, so that any count of them may follow."""
    match node:
        case Primitive():
            return node.type == "null"
        case Fixed():
            return node.size == 0
        case Record():
            return node.empty
        case _:
            return False
