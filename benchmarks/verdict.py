"""The bars that came out, held against those that had to: every single one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmarks.contender import Decode
from benchmarks.load import Bar


@dataclass(frozen=True)
class Verdict:
    """Bars by what became of them. Every expected key is exact, wrong or missing."""

    exact: int = 0
    wrong: int = 0
    """Another bar than expected, or one that nobody expected."""
    missing: int = 0
    duplicate: int = 0
    """Records beyond the first of a key."""

    @property
    def good(self) -> bool:
        return not (self.wrong or self.missing or self.duplicate)


def judge(
    records: Iterable[tuple[bytes, bytes]],
    wanted: Mapping[bytes, Bar],
    decode: Decode,
    closing: bytes = b"BRK|END",
) -> Verdict:
    """Hold the records (key, value) against the bars wanted.

    Args:
        closing: what keys begin with that belong to the ticks behind a load: not judged.
    """
    right: dict[bytes, bool] = {}
    duplicate = 0
    for key, value in records:
        if key.startswith(closing):
            continue
        duplicate += key in right
        right[key] = right.get(key, True) and wanted.get(key) == decode(value)
    exact = sum(right.values())
    missing = len(wanted.keys() - right.keys())
    return Verdict(exact, len(right) - exact, missing, duplicate)
