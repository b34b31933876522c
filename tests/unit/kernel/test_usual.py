"""The shortcuts for what most records are: they end where they must, and change no answer."""

from __future__ import annotations

import struct

import pytest

from barengine.codec.plan import FieldPlan, Kind, Op, Slot
from barengine.kernel import KernelConfig, Outcome
from barengine.model import Period, Reason
from tests.unit.kernel.build import NOON_MS, TICK_PLAN, batch, text, tick_value, varint
from tests.unit.kernel.pair import Pair

SWAPPED = FieldPlan(
    (
        *(Op.STORE, Slot.SYMBOL, Kind.NAME, 0, 0),
        *(Op.STORE, Slot.BROKER, Kind.NAME, 0, 0),
        *TICK_PLAN.words[10:],
    )
)
NAMES_LAST = FieldPlan((*TICK_PLAN.words[10:20], *SWAPPED.words[5:10], *SWAPPED.words[:5], Op.END))
"""So that the last name of a payload has one byte behind it, the count of headers."""

USUAL, TURNED, LAST = 1, 2, 3
BYTES = (0x00, 0x01, 0x02, 0x7F, 0x80, 0x81, 0xC3, 0xFE, 0xFF)


def usual_pair() -> Pair:
    """Both kernels, with the usual plan and two of other orders."""
    pair = Pair(KernelConfig(Period.parse("1m"), 10**9, idle_timeout_ns=0, schema_by_id=True))
    for number, plan in ((USUAL, TICK_PLAN), (TURNED, SWAPPED), (LAST, NAMES_LAST)):
        pair.add_schema(number, plan)
    return pair


def in_all_orders(broker: str, symbol: str) -> list[bytes]:
    """One tick, written as each of the three plans reads it."""
    names, end = (text(broker), text(symbol)), varint(NOON_MS) + struct.pack("<d", 1.5)
    bodies = {
        USUAL: names[0] + names[1] + end,
        TURNED: names[1] + names[0] + end,
        LAST: end + names[0] + names[1],
    }
    return [b"\0" + number.to_bytes(4, "big") + body for number, body in bodies.items()]


@pytest.mark.parametrize("letter", ["x", "é", "€"])
@pytest.mark.parametrize("broker_size", [1, 8, 9, 25])
def test_a_name_is_the_same_name_wherever_it_stands(letter: str, broker_size: int) -> None:
    """Names of every length around those of one, two and three words, also as the last bytes."""
    for length in range(1, 42):
        pair = usual_pair()
        values = in_all_orders("b" * (broker_size - 1) + "B", letter * length)
        for offset, value in enumerate(values):
            pair.feed(batch([value], offset))
        [bar] = pair.close_all()
        assert (bar.symbol, bar.tick_count) == (letter * length, 3)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 23, 24, 25, 40])
def test_names_that_differ_in_one_byte_are_two(length: int) -> None:
    """Whichever byte it is; and so are those of which one begins with the other."""
    name = "a" * length
    names = [name, name + "a"] + [f"{name[:at]}b{name[at + 1 :]}" for at in range(length)]
    names += [name + "\0"]
    pair = usual_pair()
    for number, broker in enumerate(("A", "broker of many")):
        for plan in range(3):
            values = [in_all_orders(broker, one)[plan] for one in names]
            pair.feed(batch(values, (number * 3 + plan) * len(names)))
    bars = pair.close_all()
    assert [bar.symbol for bar in bars] == names * 2
    assert {bar.tick_count for bar in bars} == {3}


def test_every_fault_of_a_usual_value_has_its_reason() -> None:
    """Values cut at every place, longer by a byte, and with every byte but the id's replaced."""
    whole = tick_value("BRK", "SYM00001", NOON_MS, 1.5)
    values = [whole[:end] for end in range(len(whole))] + [whole + b"\0"]
    values += [
        whole[:at] + bytes([byte]) + whole[at + 1 :]
        for at in (0, *range(5, len(whole)))
        for byte in BYTES
    ]
    values += [
        tick_value("", "S", NOON_MS, 1.0),
        tick_value("B", "S" * 257, NOON_MS, 1.0),
        tick_value("B", "S", 2**62, 1.0),
        tick_value("B", "S", NOON_MS, float("inf")),
        tick_value("B", "S", NOON_MS, 1e30),
    ]
    pair = usual_pair()
    outcome = pair.feed(batch(values))
    assert isinstance(outcome, Outcome)
    assert outcome.records == len(values)
    assert {reject.reason for reject in outcome.rejects} >= {
        *(Reason.FRAMING, Reason.UNDECODABLE, Reason.EMPTY_NAME, Reason.NAME_TOO_LONG),
        *(Reason.PRICE_NOT_FINITE, Reason.PRICE_RANGE, Reason.TIME_RANGE),
    }


@pytest.mark.parametrize("size", [0, 1, 62, 63, 64, 65, 8190, 8191, 8192, 8193, 2**20])
def test_sizes_around_those_of_one_and_two_bytes(size: int) -> None:
    """Of keys and of headers, in records that are taken and in such that are given back."""
    pair, key = usual_pair(), b"k" * size
    values = [(key, tick_value("B", "S", NOON_MS, 1.0)), (key, b"\1"), (key, None)]
    outcome = pair.feed(batch(values, headers=(("h", key), ("none", None))))
    assert isinstance(outcome, Outcome)
    assert outcome.accepted == 1
    assert [reject.key for reject in outcome.rejects] == [key, key]


def test_every_damage_to_a_record_is_seen() -> None:
    """Each byte of a record replaced, and the record cut at each place."""
    whole = batch([(b"key", tick_value("B", "S", NOON_MS, 1.0))] * 2, headers=(("h", b"v"),))
    payload = whole.payload
    damaged = [payload[:end] for end in range(len(payload))]
    damaged += [
        payload[:at] + bytes([byte]) + payload[at + 1 :]
        for at in range(len(payload) // 2)
        for byte in BYTES
    ]
    for one in damaged:
        usual_pair().feed(whole._replace(payload=one))
