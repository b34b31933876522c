"""Other spellings of symbols: a YAML file of ``broker: {alias: symbol}``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import yaml  # type: ignore[import-untyped]  # PyYAML ships no types
from pydantic import BeforeValidator

from barengine.model import MAX_NAME_BYTES, Normalize
from barengine.settings.values import check_readable

EVERY_BROKER: Final = "*"
_FORM: Final = "write a line `BROKER:` (* for every broker), below it lines `ALIAS: SYMBOL`"


@dataclass(frozen=True, slots=True)
class SymbolAliases:
    """What the file holds; as text it is the path of it."""

    path: str
    table: Mapping[str, Mapping[str, str]]
    """By broker, ``*`` for every one: alias -> symbol."""

    @classmethod
    def read(cls, path: str) -> SymbolAliases:
        """Read the file.

        Raises:
            ValueError: it cannot be read, or is not of that form; tells the line.
        """
        text = check_readable(Path(path)).read_bytes()
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            mark = getattr(error, "problem_mark", None)
            where = f" (line {mark.line + 1})" if mark else ""
            raise ValueError(f"it is not YAML{where}; {_FORM}") from None
        table = {
            broker: MappingProxyType(dict(_pairs(node, scalars=True)))
            for broker, node in _pairs(root, scalars=False)
        }
        return cls(path, MappingProxyType(table))

    def __str__(self) -> str:
        return self.path

    @property
    def digest(self) -> str:
        """Names the content, however the file is written: for the fingerprint of the state."""
        plain = {broker: dict(table) for broker, table in self.table.items()}
        text = json.dumps(plain, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def problems(self, normalize: Normalize) -> Iterator[str]:
        """What cannot work, and the way out."""
        for broker in sorted({*self.table, EVERY_BROKER}):
            yield from self._problems_of(broker, normalize)

    def _problems_of(self, broker: str, normalize: Normalize) -> Iterator[str]:
        names: dict[str, str] = {}
        for owner in dict.fromkeys((EVERY_BROKER, broker)):
            own: dict[str, str] = {}
            for alias, symbol in self.table.get(owner, {}).items():
                form, target = (_formed(normalize, name) for name in (alias, symbol))
                if own.setdefault(form, target) != target:
                    yield f"{alias!r} of broker {owner!r} is an alias of two symbols; keep one"
            names |= own
        for form, target in names.items():
            if names.get(target, target) != target:
                yield (
                    f"{form!r} of broker {broker!r} stands for {target!r}, which stands for "
                    f"{names[target]!r}; name that one"
                )


def _formed(normalize: Normalize, name: str) -> str:
    return normalize.apply(name.encode()).decode()


def _pairs(node: yaml.Node | None, *, scalars: bool) -> Iterator[tuple[str, yaml.Node | str]]:
    """The keys and values of a mapping; with ``scalars`` the values are names, too."""
    if not isinstance(node, yaml.MappingNode):
        where = "" if node is None else f" (line {node.start_mark.line + 1})"
        raise ValueError(f"it is no table of aliases{where}; {_FORM}")
    seen: set[str] = set()
    for key, value in node.value:
        name = _name(key)
        if name in seen:
            raise ValueError(f"{name!r} is there twice (line {key.start_mark.line + 1}); keep one")
        seen.add(name)
        yield name, _name(value) if scalars else value


def _name(node: yaml.Node) -> str:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError(f"there is no name in line {line}; {_FORM}")
    if not 0 < len(node.value.encode()) <= MAX_NAME_BYTES:
        raise ValueError(f"the name in line {line} has not 1 to {MAX_NAME_BYTES} bytes")
    return str(node.value)


def _read(value: str | SymbolAliases | None) -> SymbolAliases | None:
    return SymbolAliases.read(value.strip()) if isinstance(value, str) else value


AliasesText = BeforeValidator(_read)
