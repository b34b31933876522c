"""What only the compiled kernel has to promise: it trusts nobody, and says so."""

from __future__ import annotations

import pytest

from barengine.codec.plan import FieldPlan, Kind, Op, Slot
from barengine.codec.tick import DecodedTick
from barengine.kernel import BrokerState, Kernel, KernelConfig, RecordBatch, kernel_class
from barengine.kernel._kernel import CompiledKernel
from barengine.kernel._plans import prepare
from barengine.model import Period
from tests.unit.kernel.build import TICK_PLAN, batch, feed, tick

MINUTE = Period.parse("1m")
STORE = (Op.STORE, Slot.BROKER, Kind.NAME, 0, 0)


def compiled() -> Kernel:
    """A compiled kernel that reads the built-in schema."""
    kernel = kernel_class("compiled")(KernelConfig(MINUTE, 0))
    kernel.add_schema(0, TICK_PLAN)
    return kernel


@pytest.mark.parametrize(
    "words",
    [
        (),
        (Op.SKIP_VARINT,),
        (99, Op.END),
        (-1, Op.END),
        (Op.SKIP_FIXED,),
        (Op.SKIP_FIXED, -1, Op.END),
        (Op.JUMP, 0, Op.END),
        (Op.JUMP, 3, Op.END),
        (Op.JUMP, 1, Op.END),
        (Op.SKIP_VARINT, Op.JUMP, -1, Op.END),
        (Op.UNION, 2, 4, Op.END),
        (Op.UNION, 1, 0, Op.END),
        (Op.UNION, 1, 99, Op.END),
        (Op.UNION,),
        (Op.BLOCKS, 2**31, Op.NEXT, Op.END),
        (*STORE[:4], Op.END),
        (Op.STORE, 4, Kind.NAME, 0, 0, Op.END),
        (Op.STORE, Slot.BROKER, 10, 0, 0, Op.END),
        (Op.STORE, Slot.BROKER, Kind.DOUBLE, 0, 0, Op.END),
        (Op.STORE, Slot.TIME, Kind.LONG, 0, 0, Op.END),
        (Op.STORE, Slot.TIME, Kind.TIME, 0, 0, Op.END),
        (Op.STORE, Slot.PRICE, Kind.TIME, 1, 0, Op.END),
        (Op.STORE, Slot.PRICE, Kind.DECIMAL_FIXED, 0, -1, Op.END),
        (Op.STORE, Slot.BROKER, Kind.NAME_ENUM, 1, 0, Op.END),
        (Op.STORE, Slot.BROKER, Kind.NAME_ENUM, -1, 0, Op.END),
    ],
)
def test_a_broken_plan_is_refused(words: tuple[int, ...]) -> None:
    """The interpreter never runs a program that could lead it out of itself."""
    kernel = compiled()
    with pytest.raises(ValueError, match="plan"):
        kernel.add_schema(0, FieldPlan(words, ((b"X",),)))
    assert feed(kernel, tick(1)).accepted == 1


def test_a_number_that_is_no_int32_is_refused() -> None:
    """Words are 32 bits wide; a larger one is an error, not another number."""
    with pytest.raises(OverflowError):
        compiled().add_schema(0, FieldPlan((Op.SKIP_FIXED, 2**31, Op.END)))


def test_a_plan_is_loaded_as_what_it_says() -> None:
    """Only a STORE is written differently; whether a time is read is found out."""
    program = prepare(TICK_PLAN)
    assert program.slots == {Slot.BROKER, Slot.SYMBOL, Slot.TIME, Slot.PRICE}
    assert program.words[0] == 16 + Kind.NAME
    assert program.words[1:5] == TICK_PLAN.words[1:5]
    assert prepare(FieldPlan((*STORE, Op.END))).slots == {Slot.BROKER}


@pytest.mark.parametrize(
    "config",
    [
        KernelConfig(MINUTE, -1),
        KernelConfig(MINUTE, 2**62 + 1),
        KernelConfig(Period("0s", 0), 0),
        KernelConfig(MINUTE, 0, price_scale=19),
        KernelConfig(MINUTE, 0, price_scale=-1),
        KernelConfig(MINUTE, 0, idle_timeout_ns=-1),
    ],
)
def test_a_configuration_that_arithmetic_cannot_hold_is_refused(config: KernelConfig) -> None:
    """What could overflow 64 bits never starts."""
    with pytest.raises(ValueError, match=r"period|scale|idle"):
        CompiledKernel(config)


def test_a_call_inside_a_call_is_refused() -> None:
    """A slow decoder that reaches back into its kernel gets an error, the kernel stays whole."""
    kernel = compiled()
    seen: list[str] = []

    def decode(value: bytes) -> DecodedTick:
        for call in (kernel.drain, kernel.take_bars, kernel.brokers, lambda: feed(kernel, None)):
            with pytest.raises(RuntimeError, match="in the middle") as error:
                call()
            seen.append(str(error.value))
        return DecodedTick(b"A", b"X", 0, 1)

    kernel.add_schema(0, None, decode)
    assert feed(kernel, tick(1)).accepted == 1
    assert len(seen) == 4
    assert kernel.open_windows == 1


@pytest.mark.parametrize(
    "answer",
    [
        DecodedTick(b"A", b"X", 2**62 + 1, 1),
        DecodedTick(b"A", b"X", 0, 2**63),
        DecodedTick("A", b"X", 0, 1),  # type: ignore[arg-type]
        (b"A", b"X"),
        None,
    ],
)
def test_a_slow_decoder_that_breaks_its_word_is_an_error(answer: DecodedTick) -> None:
    """Types and ranges are checked before C sees them."""
    kernel = compiled()
    kernel.add_schema(0, None, lambda _: answer)
    with pytest.raises((OverflowError, TypeError, ValueError)):
        feed(kernel, tick(1))
    assert kernel.open_windows == 0


def test_numbers_that_are_no_int64_are_errors() -> None:
    """Clocks, offsets and names that C cannot hold are refused, not cut."""
    kernel = compiled()
    with pytest.raises(OverflowError):
        kernel.load([BrokerState("A", 2**63, 0, 0, 0, 0, 0)], [])
    with pytest.raises(OverflowError):
        kernel.advance(2**63)
    with pytest.raises(OverflowError):
        kernel.process(batch([tick(1)]), 0, 2**63, 0)
    with pytest.raises(ValueError, match="4096 bytes"):
        kernel.load([BrokerState("A" * 4096, 0, 0, 0, 0, 0, 0)], [])


def test_a_payload_must_be_bytes() -> None:
    """The kernel reads it without the GIL, so nobody may change it meanwhile."""
    content = RecordBatch(bytearray(batch([tick(1)]).payload), 1, 0, 0)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        compiled().process(content, 0, 1, 0)


@pytest.mark.parametrize("sizes", [False, True])
def test_a_window_costs_less_than_400_bytes(sizes: bool) -> None:
    """A hundred thousand series with a window each, names, hash slots and sums included."""
    kernel = CompiledKernel(KernelConfig(MINUTE, 0, sizes=sizes))
    kernel.add_schema(0, TICK_PLAN)
    values = [tick(1, symbol=f"SYM{place:06}") for place in range(100_000)]
    feed(kernel, *values)
    assert kernel.open_windows == 100_000
    assert kernel.memory_bytes / 100_000 < 400


def test_a_kernel_tells_what_it_holds() -> None:
    """repr is for people who debug."""
    kernel = compiled()
    feed(kernel, tick(1), tick(70))
    kernel.drain()
    assert repr(kernel) == "<CompiledKernel: 1 series, 1 open windows, 1 bars pending>"
    assert repr(kernel.take_bars()) == "<CompiledBarBlock of 1 bars>"
