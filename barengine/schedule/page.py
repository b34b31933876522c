"""YAML as nodes, so that every problem names the file, the line, the key and the value."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from difflib import get_close_matches
from typing import Final, NamedTuple, TypeVar

import yaml  # type: ignore[import-untyped]  # PyYAML ships no types

from barengine.errors import ConfigurationError

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""A market's holidays of decades are thousands of lines: the C parser takes a tenth of the time."""

_T = TypeVar("_T")

_NULL_TAG: Final = "tag:yaml.org,2002:null"


_DEEPEST: Final = 20
"""A schedule has six levels. The C parser would end the process where text has 100 000."""


class Place(NamedTuple):
    """A node, and the keys that lead to it."""

    node: yaml.Node
    path: str

    @property
    def scalar(self) -> bool:
        """Whether it is one value."""
        return isinstance(self.node, yaml.ScalarNode)

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self.node, yaml.SequenceNode)

    @property
    def line(self) -> int:
        """Where it begins, the first line being 1."""
        return int(self.node.start_mark.line) + 1

    @property
    def text(self) -> str:
        """The value as it is written, quotes aside: 16:00 is no number here; null is empty."""
        assert isinstance(self.node, yaml.ScalarNode)
        return "" if self.node.tag == _NULL_TAG else str(self.node.value).strip()

    @property
    def shown(self) -> str:
        """What it is, for a message."""
        if self.scalar:
            return repr(self.text) if self.text else "empty"
        return "a list" if self.is_list else "a group of keys"


class Page:
    """One YAML text and the problems found in it.

    Args:
        source: what the text is called in messages: a path, or a topic and a key.
    """

    def __init__(self, source: str) -> None:
        self.source: Final = source
        self.problems: list[str] = []

    def root(self, text: str) -> Place | None:
        """The whole text, None where it is empty or no YAML, which is a problem."""
        try:
            node = None if _too_deep(text) else yaml.compose(text, Loader=_LOADER)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f" line {mark.line + 1}" if mark else ""
            why = getattr(error, "problem", None) or "characters that YAML does not allow"
            self.problems.append(f"{self.source}{line} is not YAML ({why}): write `key: value`")
            return None
        if node is None:
            self.problems.append(f"{self.source} is empty, or nested too deeply: write a schedule")
            return None
        return Place(node, "")

    def wrong(self, place: Place, way_out: str) -> None:
        """Note a problem with the value at a place."""
        name = f"`{place.path}`" if place.path else "the document"
        self.problems.append(f"{self.source} line {place.line}: {name} is {place.shown}: {way_out}")

    def entries(self, place: Place, way_out: str) -> Iterator[tuple[Place, Place]]:
        """Yield key and value of a mapping; what is no mapping, and a key twice, is a problem."""
        if not isinstance(place.node, yaml.MappingNode):
            self.wrong(place, way_out)
            return
        seen: set[str] = set()
        for key_node, value_node in place.node.value:
            key = Place(key_node, place.path)
            if not key.scalar or not key.text:
                self.wrong(key, "a key is one word")
                continue
            path = f"{place.path}.{key.text}" if place.path else key.text
            if key.text in seen:
                self.wrong(Place(key_node, path), "it is there twice; remove one")
                continue
            seen.add(key.text)
            yield Place(key_node, path), Place(value_node, path)

    def keys(
        self, place: Place, known: Collection[str], needed: Collection[str] = ()
    ) -> dict[str, Place]:
        """The values of a mapping whose keys are known; anything else is a problem."""
        found: dict[str, Place] = {}
        way_out = f"write the keys {', '.join(known)} under it"
        before = len(self.problems)
        for key, value in self.entries(place, way_out):
            if key.text in known:
                found[key.text] = value
            else:
                self._unknown(key, known)
        missing = [key for key in needed if key not in found]
        if missing and len(self.problems) == before:
            self.wrong(place, f"{' and '.join(missing)} must be among its keys")
        return found

    def items(self, place: Place, way_out: str) -> list[Place]:
        """The values of a list; what is no list is a problem, and empty."""
        if place.is_list:
            return [Place(node, f"{place.path}[{i}]") for i, node in enumerate(place.node.value)]
        self.wrong(place, way_out)
        return []

    def name(self, place: Place, way_out: str) -> str | None:
        """A value that is not empty; anything else is a problem."""
        if place.scalar and place.text:
            return place.text
        self.wrong(place, way_out)
        return None

    def parsed(self, place: Place, parse: Callable[[str], _T]) -> _T | None:
        """What ``parse`` makes of a value; its ValueError is a problem, and None."""
        try:
            return parse(place.text if place.scalar else "")
        except ValueError as error:
            self.wrong(place, str(error))
            return None

    def check(self) -> None:
        """Raise what was found.

        Raises:
            ConfigurationError: there are problems.
        """
        if self.problems:
            raise ConfigurationError(*self.problems)

    def _unknown(self, key: Place, known: Collection[str]) -> None:
        close = get_close_matches(key.text, known, n=1)
        way_out = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        self.problems.append(f"{self.source} line {key.line}: `{key.path}` is not a key; {way_out}")


def _too_deep(text: str) -> bool:
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            return True
    return False


def given(found: dict[str, Place], key: str) -> Place | None:
    """The value of a key; None also where nothing stands behind it, as in ``holidays:`` alone."""
    place = found.get(key)
    return None if place is None or (place.scalar and not place.text) else place
