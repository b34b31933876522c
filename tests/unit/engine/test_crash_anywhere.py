"""Exactly once, whatever happens: crashes, takeovers, zombies, silence, bad input, new settings.

    E1  every record is in exactly one bar, or late, or dead
    E2  no bar leaves twice; those of a series leave in the order of their buckets
    E3  a bar is what its ticks make it, aggregated anew; its audit range is theirs
    E4  an engine that never crashed would have written the same bytes, and the same state
    E5  what closes and what is late is what the design says, told by plainer code

``run`` has the operations, ``oracle`` the checks, ``ablations`` proves that they bite.
"""

from __future__ import annotations

from random import SystemRandom

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barengine.errors import StateError
from barengine.kernel import PureKernel, kernel_class
from tests.unit.engine.ablations import ANY_HISTORY, CERTAIN_HISTORY, Ablation
from tests.unit.engine.book_ablations import ANY_LADDER
from tests.unit.engine.histories import plans, seeded
from tests.unit.engine.oracle import check, check_ladder
from tests.unit.engine.run import Plan, Run

_HISTORIES = {"pure": 300, "compiled": 1200}
"""Seeded histories of each kind: as many as a few seconds hold."""

_LADDER_SHARE = 6
"""One with roll-ups takes so many times longer."""

_MOST = 3_000
"""Histories after which a missing rule must have shown; the rarest needs about 100."""

every_kernel = pytest.mark.parametrize("kernel", ["pure", "compiled"])
every_kind = pytest.mark.parametrize(
    "kind",
    [
        {},
        {"changes": True},
        {"forgetful": True},
        {"sessions": True},
        {"sessions": True, "changes": True},
        {"ladder": True},
        {"ladder": True, "sessions": True},
        {"ladder": True, "changes": True},
        {"ladder": True, "forgetful": True},
    ],
    ids=[
        "same settings",
        "changing settings",
        "forgetful",
        "sessions",
        "changing sessions",
        "ladder",
        "ladder and sessions",
        "changing ladder",
        "forgetful ladder",
    ],
)


def _check(plan: Plan, kernel: str) -> None:
    _check_run(Run(plan, kernel_class(kernel)).execute())


def _check_run(run: Run) -> None:
    rules = run.plan.rules
    if rules.book_config() is not None or rules.sizes or rules.skip_partial:
        check_ladder(run)
    else:
        check(run)


@every_kernel
@settings(max_examples=150)
@given(plan=st.one_of(plans(), plans(changes=True), plans(forgetful=True), plans(ladder=True)))
def test_exactly_once(kernel: str, plan: Plan) -> None:
    """E1 to E5 hold after every history that hypothesis finds (and shrinks, if they do not)."""
    _check(plan, kernel)


@every_kind
@every_kernel
def test_exactly_once_in_many_histories(kernel: str, kind: dict[str, bool]) -> None:
    """E1 to E5 hold after every one of many random histories."""
    first = 0 if settings().derandomize else SystemRandom().randrange(2**32)
    count = _HISTORIES[kernel] // (_LADDER_SHARE if "ladder" in kind else 1)
    for seed in range(first, first + count):
        try:
            _check(seeded(seed, **kind), kernel)
        except Exception as error:
            raise AssertionError(f"seeded({seed}, **{kind}) does not hold: {error}") from error


def _holds(plan: Plan) -> bool:
    try:
        _check_run(Run(plan, PureKernel).execute())
    except (AssertionError, StateError):
        return False
    return True


@pytest.mark.parametrize("ablation", ANY_HISTORY, ids=lambda one: one.__name__)
def test_every_rule_is_missed(ablation: Ablation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one rule of recovery, some random history breaks E1 to E5."""
    ablation(monkeypatch)
    assert any(not _holds(seeded(seed)) for seed in range(_MOST))


@pytest.mark.parametrize("ablation", ANY_LADDER, ids=lambda one: one.__name__)
def test_every_rule_of_the_book_is_missed(
    ablation: Ablation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any one of them, some random history with roll-ups breaks E1 or E4."""
    ablation(monkeypatch)
    assert any(not _holds(seeded(seed, ladder=True)) for seed in range(_MOST))


@pytest.mark.parametrize(
    ("ablation", "plan"), CERTAIN_HISTORY, ids=[one.__name__ for one, _ in CERTAIN_HISTORY]
)
def test_every_rare_rule_is_missed(
    ablation: Ablation, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A history that holds with the rule breaks E1 to E5 without it."""
    assert _holds(plan)
    ablation(monkeypatch)
    assert not _holds(plan)
