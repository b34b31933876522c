"""Records as any client reads them back: what the check takes, whoever fetched them."""

from __future__ import annotations

from typing import NamedTuple


class InputRecord(NamedTuple):
    """One record of the input topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    time_ms: int
    """The record timestamp."""


class OutputRecord(NamedTuple):
    """One committed record of the bar, late or dead letter topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    time_ms: int
    """The record timestamp."""
    headers: tuple[tuple[str, bytes], ...] = ()

    def header(self, name: str) -> bytes | None:
        """The first header of that name: what the engine adds stands before what was there."""
        return next((value for key, value in self.headers if key == name), None)
