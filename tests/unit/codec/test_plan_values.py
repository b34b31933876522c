"""Plans against the slow path against what was written, over random schemas."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from barengine.codec.compile import compile_plan
from barengine.codec.plan import FieldPlan
from barengine.codec.read import run_plan
from barengine.codec.slow import slow_decoder
from barengine.model import Reason
from tests.unit.codec.build import Outcome, outcome
from tests.unit.codec.strategies import Case, schemas_and_ticks


def plan_of(case: Case) -> FieldPlan:
    """The plan of a case that must have one."""
    plan = compile_plan(case.schema, case.fields)
    assert plan is not None
    return plan


def both(case: Case, values: list[bytes]) -> list[tuple[Outcome, Outcome]]:
    """What the plan and the slow path make of each value."""
    plan = plan_of(case)
    slow = slow_decoder(case.schema, case.fields, case.price_scale)
    return [
        (
            outcome(lambda v=value: run_plan(plan, v, 0, case.price_scale)),  # type: ignore[misc]
            outcome(lambda v=value: slow(v)),  # type: ignore[misc]
        )
        for value in values
    ]


@settings(max_examples=300, deadline=None)
@given(schemas_and_ticks())
def test_plan_and_slow_path_read_what_was_written(case: Case) -> None:
    """Both paths give the datum's own fields, whatever stands around them in the schema."""
    for tick, (fast, slow) in zip(
        case.ticks, both(case, [tick.value for tick in case.ticks]), strict=True
    ):
        assert fast == slow == tick.expected


@settings(max_examples=60, deadline=None)
@given(schemas_and_ticks(max_ticks=1), st.binary(max_size=8))
def test_the_frame_before_the_value_is_not_read(case: Case, frame: bytes) -> None:
    """A plan begins at ``start`` and looks at nothing before it."""
    value, expected = case.ticks[0].value, case.ticks[0].expected
    plan = plan_of(case)
    read = outcome(lambda: run_plan(plan, frame + value, len(frame), case.price_scale))
    assert read == expected


@settings(max_examples=60, deadline=None)
@given(schemas_and_ticks(max_ticks=1))
def test_a_value_cut_anywhere_is_undecodable(case: Case) -> None:
    """Every proper prefix of a value is UNDECODABLE, whatever else is wrong with it."""
    value = case.ticks[0].value
    cuts = [value[:size] for size in range(len(value))]
    assert both(case, cuts) == [(Reason.UNDECODABLE, Reason.UNDECODABLE)] * len(cuts)


@settings(max_examples=60, deadline=None)
@given(schemas_and_ticks(max_ticks=1), st.binary(min_size=1, max_size=4))
def test_bytes_behind_a_value_make_it_undecodable(case: Case, rest: bytes) -> None:
    """A value must be used up exactly: the schema may be the wrong one."""
    values = [case.ticks[0].value + rest]
    assert both(case, values) == [(Reason.UNDECODABLE, Reason.UNDECODABLE)]


@settings(max_examples=200, deadline=None)
@given(schemas_and_ticks(max_ticks=1), st.data())
def test_mutated_values_give_the_same_tick_or_reason(case: Case, data: st.DataObject) -> None:
    """Any bytes end in a tick or a BadTick, and in the same one on both paths."""
    value = bytearray(case.ticks[0].value)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(value)))
        value[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"\xff" * 10, b"\x80" * 9 + b"\x02", b"\x01"])
        )
    ((fast, slow),) = both(case, [bytes(value)])
    assert fast == slow


@settings(max_examples=100, deadline=None)
@given(schemas_and_ticks(max_ticks=1), st.binary(max_size=60))
def test_random_bytes_give_the_same_tick_or_reason(case: Case, value: bytes) -> None:
    """Bytes that no one wrote for this schema never raise anything but BadTick."""
    ((fast, slow),) = both(case, [value])
    assert fast == slow
