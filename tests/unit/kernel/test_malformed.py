"""Bytes that no honest writer wrote: both kernels say the same, and nothing else happens."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barengine.codec.plan import FieldPlan, Kind, Op, Slot
from barengine.kernel import KernelConfig, RecordBatch
from barengine.model import Framing, Period
from tests.unit.kernel.build import TICK_PLAN, batch, feed, text, tick, tick_plan, varint
from tests.unit.kernel.conftest import Make
from tests.unit.kernel.pair import Pair

SEEDS = st.integers(0, 2**32)
HUGE = varint(2**63 - 1)


def some_batch(rng: Random) -> RecordBatch:
    """Keys, headers, nulls and ticks."""
    return batch(
        [
            (rng.choice((None, b"", b"key")), rng.choice((None, tick(rng.randrange(200)))))
            for _ in range(rng.randrange(1, 8))
        ],
        headers=rng.choice(((), (("a", None), ("b", b"long " * 30)))),
    )


def mutated(rng: Random, content: bytes) -> bytes:
    """A few bytes changed, cut away, doubled or put in."""
    raw = bytearray(content)
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(raw) + 1)
        match rng.randrange(4):
            case 0:
                raw[place : place + 1] = bytes([rng.choice((0, 1, 0x7F, 0x80, 0xFF))])
            case 1:
                del raw[place : place + rng.choice((1, 1, 1000))]
            case 2:
                head = bytes(raw[: rng.randrange(9)])
                raw[place:place] = rng.choice((HUGE, b"\x01", b"\xff" * 11, head))
            case _:
                raw[place : place + 1] = bytes([rng.randrange(256)])
    return bytes(raw)


def pair(plan: FieldPlan = TICK_PLAN, framing: Framing = Framing.CONFLUENT) -> Pair:
    """Both kernels, reading with this plan."""
    made = Pair(KernelConfig(Period.parse("1m"), 0, framing=framing, idle_timeout_ns=0))
    made.add_schema(0, plan)
    return made


@settings(max_examples=600, deadline=None)
@given(SEEDS)
def test_mutated_payloads(seed: int) -> None:
    """Both raise the same ValueError at the same record, or both read the same."""
    rng = Random(seed)
    content = some_batch(rng)
    both = pair()
    both.feed(content._replace(payload=mutated(rng, content.payload), records=rng.randrange(-1, 9)))
    both.close_all()


@settings(max_examples=600, deadline=None)
@given(SEEDS)
def test_mutated_values(seed: int) -> None:
    """Every damaged value is the same dead letter in both, or the same tick."""
    rng = Random(seed)
    both = pair()
    both.feed(batch([mutated(rng, tick(at)) for at in range(8)]))
    both.close_all()


@pytest.mark.parametrize("cut", range(1, 60, 3))
def test_a_payload_that_breaks_off_is_refused(make: Make, cut: int) -> None:
    """ValueError, with every whole record before the break applied."""
    whole = batch([tick(1), tick(2)])
    kernel = make()
    with pytest.raises(ValueError, match=r"bytes|varint"):
        kernel.process(whole._replace(payload=whole.payload[:-cut]), 0, 9, 2**61)
    assert kernel.open_windows == (1 if cut < len(whole.payload) // 2 else 0)


def test_what_lies_behind_stop_is_not_looked_at(make: Make) -> None:
    """A batch is read up to the first record at or behind stop, no further."""
    whole = batch([tick(1), tick(2), tick(3)])
    cut = whole._replace(payload=whole.payload[:-5])
    assert make().process(cut, 0, 1, 2**61).records == 1


def test_bytes_behind_the_last_record_are_refused(make: Make) -> None:
    """count and payload must agree."""
    whole = batch([tick(1), tick(2)])
    kernel = make()
    with pytest.raises(ValueError, match="behind 1 records"):
        kernel.process(whole._replace(records=1), 0, 9, 2**61)
    assert kernel.open_windows == 1


@pytest.mark.parametrize(
    "name",
    [b"\x80", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xf0\x8f\xbf\xbf",
     b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"A\xff", b"long enough \xe2\x82",
     b"\xf0\x9f\x98", b"12345678\x80", b"\xc3\xa9" * 9 + b"\xc3"],
)  # fmt: skip
def test_names_must_be_utf8(name: bytes) -> None:
    """Overlong forms, surrogates, what is above U+10FFFF and cut sequences: UNDECODABLE."""
    both = pair()
    value = tick(1)
    bad = value[:5] + text(name) + value[5 + len(text("A")) :]
    (reject,) = both.kernels[1].process(batch([bad]), 0, 1, 2**61).rejects
    assert reject.reason.label == "undecodable"
    both.kernels[0].process(batch([bad]), 0, 1, 2**61)
    both.compare_state()


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=12))
def test_any_bytes_as_a_name(name: bytes) -> None:
    """Valid in one is valid in the other."""
    value = tick(1)
    both = pair()
    both.feed(batch([value[:5] + text(name) + value[5 + len(text("A")) :]]))
    both.close_all()


NESTED = FieldPlan(
    (
        *(Op.BLOCKS, 8, Op.SKIP_BYTES, Op.BLOCKS, 7, Op.SKIP_FIXED, 2, Op.NEXT),
        *(Op.UNION, 3, 13, 13, 18),
        *(Op.STORE, Slot.BROKER, Kind.NAME, 0, 0),
        *(Op.STORE, Slot.SYMBOL, Kind.NAME_ENUM, 0, 0),
        *(Op.SKIP_VARINT, Op.STORE, Slot.PRICE, Kind.LONG, 0, 0, Op.END),
    ),
    ((b"X", b"\xe6\x97\xa5", b""),),
)
"""Hand-made, with every instruction that loops or branches; the inner loop jumps out of both."""


@settings(max_examples=400, deadline=None)
@given(SEEDS)
def test_any_bytes_for_a_plan_with_loops(seed: int) -> None:
    """Loops and branches over hostile bytes end, and end alike."""
    rng = Random(seed)
    block = (0, 0, 1, 2, -1, -2, 3, 2**62, -(2**63), 5)
    values = []
    for _ in range(20):
        value = b"".join(varint(rng.choice(block)) for _ in range(rng.randrange(12)))
        values.append(value + rng.randbytes(rng.randrange(4)))
    both = pair(NESTED, Framing.NONE)
    both.feed(batch(values))
    both.close_all()


def test_a_block_may_claim_any_number_of_items(make: Make) -> None:
    """2^63 items in ten bytes: the value ends first, at once."""
    body = (Op.BLOCKS, 4, Op.SKIP_VARINT, Op.NEXT)
    kernel = make(framing=Framing.NONE)
    kernel.add_schema(0, FieldPlan((*body, Op.END)))
    for count in (varint(2**63 - 1), varint(-(2**63)) + varint(0)):
        outcome = feed(kernel, count + bytes(50))
        assert [reject.reason.label for reject in outcome.rejects] == ["undecodable"]


@pytest.mark.parametrize("kind", [Kind.DECIMAL_BYTES, Kind.DECIMAL_TEXT])
def test_a_length_beyond_the_value_is_undecodable(make: Make, kind: Kind) -> None:
    """Lengths that are negative, huge or one too long read nothing."""
    kernel = make()
    kernel.add_schema(0, tick_plan(price=(kind, 2, 0)))
    head = tick(1)[:-8]
    values = [head + varint(length) + b"1" for length in (-1, 2, 2**62, 2**63 - 1, -(2**63))]
    outcome = feed(kernel, *values, head + varint(1) + b"1")
    assert [reject.reason.label for reject in outcome.rejects] == ["undecodable"] * 5
    assert outcome.accepted == 1
