"""Schemas to plans: the program itself, what is left to the slow path, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from barengine.codec.compile import compile_plan
from barengine.codec.fields import TICK_SCHEMA, Fields
from barengine.codec.plan import MAX_DEPTH, FieldPlan, Kind, Op, Slot
from tests.unit.codec.build import DECIMAL_2, FIELDS, SLOW, doubled, nested, record, tick

TICK_STORES = [
    (Op.STORE, Slot.BROKER, Kind.NAME, 0, 0),
    (Op.STORE, Slot.SYMBOL, Kind.NAME, 0, 0),
    (Op.STORE, Slot.TIME, Kind.TIME, 10**6, 0),
    (Op.STORE, Slot.PRICE, Kind.DOUBLE, 0, 0),
]


def program(*instructions: tuple[int, ...]) -> FieldPlan:
    """A plan of these instructions and END."""
    return FieldPlan((*(word for words in instructions for word in words), Op.END))


def store_of(schema: dict[str, Any], slot: Slot, fields: Fields = FIELDS) -> list[int]:
    """Kind and operands of the only STORE of a slot in a plan of flat fields."""
    plan = compile_plan(schema, fields)
    assert plan is not None
    stores = [plan.words[i : i + 5] for i in range(0, len(plan.words) - 1, 5)]
    return [*next(words[2:] for words in stores if words[1] == slot)]


def test_the_built_in_tick_becomes_four_stores() -> None:
    """A flat record of nothing but the fields is read without a single skip."""
    assert compile_plan(TICK_SCHEMA, FIELDS) == program(*TICK_STORES)


def test_record_time_reads_no_timestamp() -> None:
    """Under ``@record`` a timestamp field of the schema is skipped like any other."""
    broker, symbol, _, price = TICK_STORES
    plan = compile_plan(TICK_SCHEMA, Fields(timestamp="@record"))
    assert plan == program(broker, symbol, (Op.SKIP_VARINT,), price)


def test_unions_arrays_and_maps_jump_to_words() -> None:
    """Targets are places in the program: each branch ends at the first word behind the union."""
    schema = tick(
        note=["null", "string"],
        tags={"type": "array", "items": "int"},
        more={"type": "map", "values": "boolean"},
    )
    assert compile_plan(schema, FIELDS) == program(
        *TICK_STORES,
        (Op.UNION, 2, 24, 26),
        (Op.JUMP, 29),
        (Op.SKIP_BYTES,),
        (Op.JUMP, 29),
        (Op.BLOCKS, 33),
        (Op.SKIP_VARINT,),
        (Op.NEXT,),
        (Op.BLOCKS, 39),
        (Op.SKIP_BYTES,),
        (Op.SKIP_FIXED, 1),
        (Op.NEXT,),
    )


@pytest.mark.parametrize(
    ("kind", "unit_ns"),
    [
        ({"type": "long", "logicalType": "timestamp-millis"}, 10**6),
        ({"type": "long", "logicalType": "timestamp-micros"}, 10**3),
        ({"type": "long", "logicalType": "timestamp-nanos"}, 1),
        ({"type": "long", "logicalType": "local-timestamp-millis"}, 10**6),
        ({"type": "long", "logicalType": "local-timestamp-micros"}, 10**3),
        ({"type": "long", "logicalType": "local-timestamp-nanos"}, 1),
        ({"type": "long", "logicalType": "unheard-of"}, 10**6),
        ({"type": "int", "logicalType": "timestamp-micros"}, 10**6),
        ("long", 10**6),
        ("int", 10**6),
    ],
)
def test_a_timestamp_has_the_unit_of_its_logical_type(kind: Any, unit_ns: int) -> None:
    """Without a logical type that Avro defines for it, a number is milliseconds."""
    assert store_of(tick(timestamp=kind), Slot.TIME) == [Kind.TIME, unit_ns, 0]


@pytest.mark.parametrize(
    ("kind", "store"),
    [
        ("double", [Kind.DOUBLE, 0, 0]),
        ("float", [Kind.FLOAT, 0, 0]),
        ("int", [Kind.LONG, 0, 0]),
        ("long", [Kind.LONG, 0, 0]),
        ("string", [Kind.DECIMAL_TEXT, 0, 0]),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 4},
            [Kind.DECIMAL_BYTES, 4, 0],
        ),
        ({"type": "bytes", "logicalType": "decimal", "precision": 9}, [Kind.DECIMAL_BYTES, 0, 0]),
        (
            {"type": "fixed", "name": "F", "size": 8} | DECIMAL_2,
            [Kind.DECIMAL_FIXED, 2, 8],
        ),
    ],
)
def test_a_price_may_be_any_kind_of_number(kind: Any, store: list[int]) -> None:
    """Each numeric type has its own way of being read; a decimal's scale is 0 by default."""
    assert store_of(tick(bid=kind), Slot.PRICE) == store


def test_names_may_be_enums() -> None:
    """An enum's symbols travel with the plan."""
    enum = {"type": "enum", "name": "Venue", "symbols": ["LMAX", "EBS"]}
    plan = compile_plan(tick(broker=enum), FIELDS)
    assert plan is not None
    assert plan.words[:5] == (Op.STORE, Slot.BROKER, Kind.NAME_ENUM, 0, 0)
    assert plan.enums == ((b"LMAX", b"EBS"),)


def test_names_are_resolved_in_their_namespace() -> None:
    """A name without a dot means the enclosing namespace, then none; a dotted one itself."""
    enum = {"type": "enum", "name": "Venue", "symbols": ["LMAX"]}
    inner = record("other.Inner", far="market.Venue", lone="Lone")
    schema = tick(
        lone={"type": "enum", "name": "Lone", "namespace": "", "symbols": ["A"]},
        broker=enum,
        symbol="Venue",
        inner=inner,
        again={"type": "market.Venue"},
    ) | {"namespace": "market"}
    plan = compile_plan(schema, FIELDS)
    assert plan is not None
    assert plan.enums == ((b"LMAX",), (b"LMAX",))
    assert plan.words[-5:] == (Op.SKIP_VARINT,) * 4 + (Op.END,)


def test_a_dotted_field_lies_in_a_nested_record() -> None:
    """``quote.bid`` is found in a record, also in a nullable one."""
    quote = record("Quote", ask="double", bid="double")
    for kind in (quote, ["null", quote]):
        plan = compile_plan(tick(bid="boolean", quote=kind), Fields(price="quote.bid"))
        assert plan is not None
        assert (Op.STORE, Slot.PRICE, Kind.DOUBLE) in zip(
            plan.words, plan.words[1:], plan.words[2:], strict=False
        )


@pytest.mark.parametrize("name", SLOW)
def test_what_a_plan_cannot_express_has_none(name: str) -> None:
    """Such schemas give None: they are read slowly, not refused."""
    fields = Fields(price="quote.bid") if "record that may" in name else FIELDS
    assert compile_plan(SLOW[name], fields) is None


def test_two_slots_of_one_field_are_read_slowly() -> None:
    """A plan reads each byte once, so one field cannot fill two slots."""
    assert compile_plan(TICK_SCHEMA, Fields(broker="symbol")) is None


def test_the_deepest_nesting_that_a_plan_may_have() -> None:
    """MAX_DEPTH arrays in one another are still a plan."""
    plan = compile_plan(tick(deep=nested(MAX_DEPTH, "int")), FIELDS)
    assert plan is not None
    assert plan.words.count(Op.BLOCKS) >= MAX_DEPTH


def test_empty_types_cost_no_words() -> None:
    """What occupies no bytes is not in the plan, however often it is repeated by name."""
    assert compile_plan(tick(many=doubled(40, "null")), FIELDS) == program(*TICK_STORES)


def test_bad_defaults_and_unknown_attributes_do_no_harm() -> None:
    """A writer's default is never used here, so a wrong one is no reason to refuse the topic."""
    schema = tick()
    schema["fields"][3] |= {"default": "no number", "order": "sideways", "logicalType": "decimal"}
    assert compile_plan(schema, FIELDS) == program(*TICK_STORES)
