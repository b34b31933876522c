"""Resources as they shall be, what was found instead, and the steps between."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Self


class Kind(StrEnum):
    """Kinds of resources."""

    TOPIC = "topic"
    SCHEMA = "schema"
    RIGHT = "right"
    KSQLDB = "ksqldb"


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing that shall be there."""

    kind: Kind
    name: str
    content: Mapping[str, Any]
    """What makes it what it is: numbers, texts, lists and mappings of them."""
    why: str = ""

    @property
    def id(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def normalised(self) -> str:
        """The content as JSON that is the same whatever order it was written in."""
        return json.dumps(self.content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.normalised.encode()).hexdigest()


class Change(NamedTuple):
    """One line of a difference; None: there is nothing yet."""

    key: str
    have: str | None
    want: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done about one resource. Doing it twice is doing it once."""

    resource: Resource
    changes: tuple[Change, ...]
    new: bool
    """The resource is not there at all."""
    do: Callable[[], Awaitable[None]] = field(repr=False, compare=False)


class LeftAlone(NamedTuple):
    """A difference that is not ours to end: somebody chose it, or something would be lost."""

    resource: str
    """Its id."""
    what: str
    way_out: str


@dataclass(slots=True)
class Findings:
    """What a look at the cluster showed."""

    steps: list[Step] = field(default_factory=list)
    left_alone: list[LeftAlone] = field(default_factory=list)
    right: list[Resource] = field(default_factory=list)
    """As they shall be."""

    def __iadd__(self, other: Findings) -> Self:
        self.steps += other.steps
        self.left_alone += other.left_alone
        self.right += other.right
        return self

    def verdict(self, resource: Resource, *left_alone: LeftAlone, step: Step | None = None) -> None:
        """Say what was found of one resource: a step, what is left alone, or nothing to say."""
        self.left_alone += left_alone
        if step is not None:
            self.steps.append(step)
        elif not left_alone:
            self.right.append(resource)
