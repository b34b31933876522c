"""How a value finds the schema that reads it."""

from __future__ import annotations

import pytest

from barengine.codec.read import run_plan
from barengine.codec.tick import BadTick, DecodedTick
from barengine.kernel import Kernel
from barengine.model import Framing, Reason
from tests.unit.kernel.build import (
    NOON_MS,
    TICK_PLAN,
    batch,
    feed,
    take,
    text,
    tick,
    tick_plan,
    tick_value,
    varint,
)
from tests.unit.kernel.conftest import Make


def reasons(kernel: Kernel, *values: bytes | None) -> list[Reason]:
    """Why each of the values was rejected."""
    return [reject.reason for reject in feed(kernel, *values).rejects]


def test_an_unknown_id_ends_the_call_and_the_batch_goes_on_later(make: Make) -> None:
    """need_schema names the id; next_offset is the record that waits, nothing before is lost."""
    kernel = make(schema_by_id=True)
    kernel.add_schema(1, TICK_PLAN)
    content = batch([tick(1), tick_value("A", "X", NOON_MS, 2.0, schema_id=7), tick(2)], 10)
    outcome = kernel.process(content, 0, 13, 2**61)
    assert outcome[:4] == (11, 7, 1, 1)
    kernel.add_schema(7, TICK_PLAN)
    assert kernel.process(content, outcome.next_offset, 13, 2**61)[:4] == (13, None, 2, 2)


def test_every_schema_id_has_its_own_plan(make: Make) -> None:
    """Two schemas in one batch are read by two plans."""
    kernel = make(schema_by_id=True)
    kernel.add_schema(1, TICK_PLAN)
    kernel.add_schema(2**32 - 1, tick_plan(unit_ns=10**9))
    other = tick_value("A", "X", NOON_MS // 1000, 2.0, schema_id=2**32 - 1)
    outcome = feed(kernel, tick(0), other, tick(0), other, tick(100))
    assert (outcome.accepted, take(kernel)[0].tick_count) == (5, 4)


def test_many_schemas(make: Make) -> None:
    """A thousand schema ids, added in any order and forgotten again, are each found."""
    kernel = make(schema_by_id=True)
    ids = [place * 7919 % 1000 for place in range(1000)]
    for schema_id in ids:
        kernel.add_schema(schema_id, TICK_PLAN)
    values = [tick_value("A", "X", NOON_MS, 1.0, schema_id=schema_id) for schema_id in ids]
    assert feed(kernel, *values).accepted == 1000
    for schema_id in ids[:500]:
        kernel.forget_schema(schema_id)
    assert feed(kernel, *values[500:], values[0]).need_schema == ids[0]


def test_without_schema_by_id_the_id_is_ignored(make: Make) -> None:
    """One local schema reads every framed value, whatever its id."""
    assert feed(make(), tick_value("A", "X", NOON_MS, 1.0, schema_id=12345)).accepted == 1


def test_a_forgotten_schema_is_asked_for_again(make: Make) -> None:
    """forget_schema: the registry may know more by now."""
    kernel = make()
    kernel.forget_schema(0)
    kernel.forget_schema(99)
    assert feed(kernel, tick(1)).need_schema == 0


def test_an_id_that_the_registry_does_not_know_is_a_dead_letter(make: Make) -> None:
    """Neither plan nor decoder: UNKNOWN_SCHEMA."""
    kernel = make()
    kernel.add_schema(0, None)
    assert reasons(kernel, tick(1)) == [Reason.UNKNOWN_SCHEMA]


@pytest.mark.parametrize("value", [b"", b"\0\0\0\0", b"\1\0\0\0\1" + text("A")])
def test_a_value_without_its_frame_is_a_dead_letter(make: Make, value: bytes) -> None:
    """Shorter than five bytes, or a first byte other than 0: FRAMING."""
    assert reasons(make(), value) == [Reason.FRAMING]


def test_bare_values_have_no_frame(make: Make) -> None:
    """FRAMING=none: the Avro bytes begin at once."""
    kernel = make(framing=Framing.NONE)
    assert feed(kernel, tick(1)[5:]).accepted == 1


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.NULL_VALUE),
        (tick_value("", "X", NOON_MS, 1.0), Reason.EMPTY_NAME),
        (tick_value("A", "", NOON_MS, 1.0), Reason.EMPTY_NAME),
        (tick_value("A" * 257, "X", NOON_MS, 1.0), Reason.NAME_TOO_LONG),
        (tick_value("A", "é" * 129, NOON_MS, 1.0), Reason.NAME_TOO_LONG),
        (tick_value("A", "X", NOON_MS, float("nan")), Reason.PRICE_NOT_FINITE),
        (tick_value("A", "X", NOON_MS, -float("inf")), Reason.PRICE_NOT_FINITE),
        (tick_value("A", "X", NOON_MS, 9223372036.854776), Reason.PRICE_RANGE),
        (tick_value("A", "X", 2**62 // 10**6 + 1, 1.0), Reason.TIME_RANGE),
        (tick_value("A", "X", 2**63 - 1, 1.0), Reason.TIME_RANGE),
        (tick(1) + b"\0", Reason.UNDECODABLE),
        (tick(1)[:-1], Reason.UNDECODABLE),
        (tick(1)[:5] + text(b"\xff") + text("X") + varint(0) + bytes(8), Reason.UNDECODABLE),
    ],
)
def test_what_is_no_tick_is_a_dead_letter(make: Make, value: bytes | None, reason: Reason) -> None:
    """Each way of being no tick has its reason, and the record leaves untouched."""
    content = batch([(b"key", value)], 5, headers=[("h", b"1"), ("n", None)])
    (reject,) = make().process(content, 0, 6, 2**61).rejects
    assert (reject.offset, reject.key, reject.value, reject.reason) == (5, b"key", value, reason)
    assert reject.headers == b"\x04\x02h\x021\x02n\x01"


@pytest.mark.parametrize("name", ["A" * 256, "é" * 128, "日" * 85, "\U0001f600" * 64, "|\\", "\0"])
def test_names_of_up_to_256_bytes_are_kept_whole(make: Make, name: str) -> None:
    """Any Unicode text of 1 to 256 bytes of UTF-8 is a name."""
    kernel = make()
    feed(kernel, tick(1, symbol=name, broker=name), tick(100, broker=name, symbol=name[:1] + "."))
    assert [(bar.broker, bar.symbol) for bar in take(kernel)] == [(name, name)]


def test_a_slow_decoder_reads_what_no_plan_can(make: Make) -> None:
    """Slow and fast ticks of one batch meet in one window; BadTick is a dead letter."""
    kernel = make(schema_by_id=True)

    def decode(value: bytes) -> DecodedTick:
        if len(value) > 30:
            raise BadTick(Reason.MISSING_FIELD)
        return run_plan(TICK_PLAN, value, 0, 9)

    kernel.add_schema(1, TICK_PLAN)
    kernel.add_schema(2, None, decode)
    slow = tick_value("A", "X", NOON_MS, 2.0, schema_id=2)
    bad = tick_value("A", "X" * 30, NOON_MS, 2.0, schema_id=2)
    outcome = feed(kernel, tick(1), slow, bad, slow, tick(2), tick(100))
    assert [(r.offset, r.reason) for r in outcome.rejects] == [(2, Reason.MISSING_FIELD)]
    assert take(kernel)[0].tick_count == 4


def test_an_error_in_a_slow_decoder_passes_through(make: Make) -> None:
    """What is no BadTick is a bug of the decoder: raised, with the records before it applied."""

    def decode(value: bytes) -> DecodedTick:
        raise ZeroDivisionError

    kernel = make(schema_by_id=True)
    kernel.add_schema(1, TICK_PLAN)
    kernel.add_schema(2, None, decode)
    with pytest.raises(ZeroDivisionError):
        feed(kernel, tick(1), tick(70), tick_value("A", "X", NOON_MS, 2.0, schema_id=2), tick(71))
    assert [bar.tick_count for bar in take(kernel)] == [1]


@pytest.mark.parametrize(("append_ms", "expected"), [(None, NOON_MS + 3), (NOON_MS, NOON_MS)])
def test_event_time_can_be_the_record_timestamp(
    make: Make, append_ms: int | None, expected: int
) -> None:
    """record_time: CreateTime of the record, or LogAppendTime of the batch."""
    kernel = make(record_time=True)
    value = tick_value("A", "X", 0, 1.0)
    content = batch([value], append_time_ms=append_ms, time_deltas=[3])
    kernel.process(content, 0, 1, 2**61)
    assert kernel.brokers()[0].event_clock_ns == expected * 10**6


def test_a_record_timestamp_out_of_range_is_a_dead_letter(make: Make) -> None:
    """record_time outside ±2^62 ns: TIME_RANGE, and the reject tells the exact timestamp."""
    content = batch([tick(1)], base_time_ms=-(2**63), time_deltas=[-5])
    (reject,) = make(record_time=True).process(content, 0, 1, 2**61).rejects
    assert (reject.reason, reject.time_ms) == (Reason.TIME_RANGE, -(2**63) - 5)
