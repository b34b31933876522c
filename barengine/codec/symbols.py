"""One name for a series that its feeds spell in several ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from barengine.model import Normalize

EVERY_BROKER: Final = "*"
"""In place of a broker: an alias that holds for all of them, unless one has its own."""


class SymbolNames:
    """What a symbol as it comes is called everywhere else: asked once for each new name.

    Args:
        normalize: brought into this form first, aliases and what they stand for too.
        aliases: of each broker, alias -> symbol; ``*`` stands for every broker.

    A name that results is its own name. So none may be an alias itself (the settings see to it):
    what is stored under it would else be found by those who mean the other one.
    """

    def __init__(
        self, normalize: Normalize, aliases: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self._normalize = normalize
        self._aliases = {
            (broker.encode(), normalize.apply(alias.encode())): normalize.apply(symbol.encode())
            for broker, table in (aliases or {}).items()
            for alias, symbol in table.items()
        }

    def __repr__(self) -> str:
        return f"<SymbolNames {self._normalize}, {len(self._aliases)} aliases>"

    def canonical(self, broker: bytes, symbol: bytes) -> bytes:
        """The symbol's one name, in UTF-8."""
        form = self._normalize.apply(symbol)
        anywhere = self._aliases.get((EVERY_BROKER.encode(), form), form)
        return self._aliases.get((broker, form), anywhere)
