"""Random histories, weighted so that most of them are eventful.

One table, two dice: hypothesis draws from it (slower, and shrinks what fails), or a seeded
``Random`` does (fast enough for thousands of histories).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from hypothesis import strategies as st

from barengine.model import LatePolicy, Order, Reason, Watermark
from tests.unit.engine.hours import MARKETS
from tests.unit.engine.run import BAD_VALUES, SERIES, UNIT_NS, Op, Plan
from tests.unit.engine.sim import Rules
from tests.unit.kernel.build import NOON_MS

Choose = Callable[[Sequence[Any]], Any]
"""Takes a non-empty sequence, returns one of its items."""

_SCENES: Final = range(8, 45)
"""How many scenes a history has."""


_LADDERS: Final[dict[str, Sequence[Any]]] = {
    "late_policy": [LatePolicy.TOPIC, LatePolicy.CORRECT, LatePolicy.CORRECT],
    "rollups": ["", "2s", "5s", "2s,6s", "3s,1m", "2s,1h,1d", "1h,1d", "1d"],
    "continuous": ["", "1s", "1s", "2s", "1s,2s", "1d", "1s,1h,1d"],
    "horizon_ns": [10**9, 4 * 10**9, 10**15],
    "continuous_max_ns": [2 * 10**9, 5 * 10**9, 12 * 10**9],
    "hours": [0, 0, *MARKETS],
    "sizes": [False, True],
    "skip_partial": [False, False, True],
}
"""Settings of bars beyond the base window, for good."""


_SESSIONS: Final[dict[str, Sequence[Any]]] = {
    "closed_every": [2, 3, 5],
    "outside": [Reason.OUT_OF_SESSION, Reason.OUT_OF_SESSION_LATE],
}
"""Settings of a market that closes at times; they, too, may change from run to run."""


def _units(*choices: int) -> list[int]:
    return [units * UNIT_NS for units in choices]


_SETTINGS: Final[dict[str, Sequence[Any]]] = {
    "grace_ns": _units(0, 2, 3, 4, 7),
    "watermark": list(Watermark),
    "idle_ns": [None, *_units(1, 3, 6)],
    "max_future_ns": _units(1, 4, 40),
    "restore_max": [0, 1, 3, 3, 6, 12, 1000, 1000],
}
"""Settings that may change from run to run."""

_FOR_GOOD: Final[dict[str, Sequence[Any]]] = {
    "late_policy": [LatePolicy.TOPIC, LatePolicy.DROP],
    "order": list(Order),
}

_CHOICES: Final[dict[str, tuple[Sequence[Any], ...]]] = {
    "tick": (
        [0, 0, 0, 1, 1, *range(2, len(SERIES))],
        [0, 0, 1, 1, 2, 5],
        [0, 0, 0, 1, 2, -1, -2, -3, -4, -5, -6, -8, -13, 3, 7, 12],
        [-5, 0, 3, 8, 8, 9, 21],
        [False] * 7 + [True],
    ),
    "feed": ([1, 1, 2, 3, 9], range(4), range(3)),
    "silence": (range(10),),
    "take_over": (["graceful", "lost", "zombie"],),
    "zombie": (range(1, 5),),
    "bad": (BAD_VALUES,),
    "gap": (range(1, 4),),
    "clock": (range(-4, 9),),
    "trade": ([0, *MARKETS],),
}
"""Operations with arguments, and what these are chosen from."""

_WEIGHTS: Final = {
    "tick": 14,
    "tick feed": 24,
    "feed": 6,
    "silence": 7,
    "commit": 7,
    "begin": 3,
    "land": 2,
    "crash": 3,
    "commit crash": 7,
    "take_over": 3,
    "zombie": 2,
    "compact": 1,
    "again": 2,
    "bad": 1,
    "gap": 1,
    "learn": 1,
    "ask": 1,
    "clock": 2,
    "evict": 3,
}
"""Scenes: an operation, or two that belong together."""

_BAG: Final = [scene for scene, weight in _WEIGHTS.items() for _ in range(weight)]
_LADDER_BAG: Final = _BAG + ["trade"] * 3


def plan(
    choose: Choose,
    *,
    changes: bool = False,
    forgetful: bool = False,
    ladder: bool = False,
    sessions: bool = False,
) -> Plan:
    """A whole history; with ``changes`` every crash brings other settings, with ``ladder`` there
    are bars beyond the base window, with ``sessions`` ticks outside of them are rejected."""
    varying = _SETTINGS | _SESSIONS if sessions else _SETTINGS
    ops: list[Op] = []
    for _ in range(choose(_SCENES)):
        for name in choose(_LADDER_BAG if ladder else _BAG).split():
            if changes and name == "crash":
                ops.append(Op("change", (_some_settings(choose, varying, ladder=ladder),)))
            else:
                ops.append(Op(name, tuple(choose(items) for items in _CHOICES.get(name, ()))))
    settings = {name: choose(values) for name, values in (varying | _FOR_GOOD).items()}
    if ladder:
        settings |= {name: choose(values) for name, values in _LADDERS.items()}
        lacking = set(settings["continuous"].split(",")) - {"1s", *settings["rollups"].split(",")}
        settings["continuous"] = "" if lacking else settings["continuous"]
    return Plan(Rules(**settings), ops, choose([0, 0, 3]), choose([NOON_MS, -3_000]), forgetful)


def _some_settings(
    choose: Choose, varying: dict[str, Sequence[Any]], *, ladder: bool
) -> dict[str, Any]:
    some = {name: choose(values) for name, values in varying.items() if choose([False, True])}
    if ladder:  # what closes together stays so: a book's open bars are those of a broker, or not
        some.pop("watermark", None)
    return some


@st.composite
def plans(draw: st.DrawFn, /, **kind: bool) -> Plan:
    """Histories drawn by hypothesis."""
    return plan(lambda items: draw(st.sampled_from(items)), **kind)


def seeded(seed: int, **kind: bool) -> Plan:
    """The history of a seed."""
    return plan(Random(seed).choice, **kind)
