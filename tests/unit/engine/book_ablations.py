"""Rules of what recovery must know of bars beyond the base window, each taken away.

They patch the engine and the pure book; the compiled one has no seams to do it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from barengine.engine.turns import Turns
from barengine.kernel import PureBook, Reject
from barengine.kernel._book import SeriesPage
from barengine.kernel._pure_book_block import PureBookBlock, Record
from tests.unit.engine.ablations import Ablation

Patch = pytest.MonkeyPatch


def _written(patch: Patch, kind: bytes) -> None:
    """Without records of a kind."""
    write = PureBookBlock.__init__

    def forgetful(self: PureBookBlock, records: list[Record]) -> None:
        write(self, [record for record in records if not record[0].startswith(kind)])

    patch.setattr(PureBookBlock, "__init__", forgetful)


def without_pages(patch: Patch) -> None:
    """What a book knows of a series is not written."""
    _written(patch, b"page|")


def without_kept_bars(patch: Patch) -> None:
    """A late tick finds no bar behind a restart."""
    _written(patch, b"kept|")


def _storing(patch: Patch, **forget: Any) -> None:
    """Pages are written without something, and kept with it."""
    write = PureBook._page_record

    def forgetful(self: PureBook, page: SeriesPage) -> Record:
        return write(self, replace(page, **forget))

    patch.setattr(PureBook, "_page_record", forgetful)


def without_open_bars(patch: Patch) -> None:
    """A roll-up that is open at C begins anew."""
    _storing(patch, open={})


def without_last_close(patch: Patch) -> None:
    """Nobody knows behind a restart what a flat bar's price is."""
    _storing(patch, close=0)


def without_cuts(patch: Patch) -> None:
    """A day that has left leaves once more behind a restart, where its session goes on."""
    _storing(patch, cuts={})


def without_revisions(patch: Patch) -> None:
    """A bar's revision begins anew behind a restart."""
    load = PureBook._load_kept

    def forgetful(self: PureBook, key: bytes, broker: str, symbol: str, *rest: Any) -> None:
        load(self, key, broker, symbol, *rest)
        for bars in self._pages[broker, symbol].kept.values():
            bars.update({start: replace(bar, revision=0) for start, bar in bars.items()})

    patch.setattr(PureBook, "_load_kept", forgetful)


def without_closed_ns(patch: Patch) -> None:
    """Late ticks correct bars as soon as these have closed, not when the ticks came."""
    correct = PureBook._correct

    def early(self: PureBook, tick: Reject) -> Reject | None:
        length = self._config.rungs[0].period.length_ns
        return correct(self, tick._replace(closed_ns=tick.bucket_start_ns + length))

    patch.setattr(PureBook, "_correct", early)


def without_since(patch: Patch) -> None:
    """A book does not know behind a restart since when it has seen a broker."""
    patch.setattr(PureBook, "take_starts", lambda _self: [])


def without_holding(patch: Patch) -> None:
    """Ticks are taken while a broker waits for room, and decided by a close not yet stored."""
    patch.setattr(Turns, "held", False)


ANY_LADDER: Final[list[Ablation]] = [
    without_pages,
    without_open_bars,
    without_kept_bars,
    without_last_close,
    without_cuts,
    without_revisions,
    without_closed_ns,
    without_since,
    without_holding,
]
"""Random histories with bars beyond the base window run into these soon."""
