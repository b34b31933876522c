"""Bars so far, and bars that are left out."""

from __future__ import annotations

import io

import fastavro

from barengine.codec.bar import bar_schema
from barengine.codec.records import iter_records
from barengine.kernel import BarBlock, Kernel
from barengine.model import KeyFormat, Watermark
from tests.encoded import encoded
from tests.unit.kernel.build import NOON_NS, feed, take, tick
from tests.unit.kernel.conftest import Make

MINUTE = 60 * 10**9


def live(kernel: Kernel) -> list[tuple[str, int, int]]:
    """Symbol, start in minutes after NOON and ticks of what take_live gives."""
    return [
        (bar.symbol, (bar.bucket_start_ns - NOON_NS) // MINUTE, bar.tick_count)
        for bar in kernel.take_live().bars()
    ]


def test_a_window_is_given_when_a_tick_has_gone_into_it(make: Make) -> None:
    """Once, until the next one; the window itself stays as it is."""
    kernel = make()
    feed(kernel, tick(0, symbol="X"), tick(1, symbol="Y"))
    assert live(kernel) == [("X", 0, 1), ("Y", 0, 1)]
    assert live(kernel) == []
    feed(kernel, tick(2, symbol="Y"), base_offset=2)
    assert live(kernel) == [("Y", 0, 2)]
    feed(kernel, tick(60, symbol="Z"), base_offset=3)
    assert [(bar.symbol, bar.tick_count) for bar in take(kernel)] == [("X", 1), ("Y", 2)]


def test_only_the_newest_window_of_a_series_is_given(make: Make) -> None:
    """A tick for an older one, still in its grace, takes no reader back."""
    for watermark in Watermark:
        kernel = make(grace_ns=MINUTE, watermark=watermark)
        feed(kernel, tick(1), tick(61))
        assert live(kernel) == [("X", 1, 1)]
        feed(kernel, tick(2), base_offset=2)
        assert live(kernel) == []


def test_after_a_restart_everything_is_given_again(make: Make) -> None:
    """With the tick counts that it had: no reader goes back."""
    first, second = make(), make()
    feed(first, tick(0), tick(1))
    assert live(first) == [("X", 0, 2)]
    second.load(first.brokers(), [])
    second.load_windows(2, first.store_windows(2).pack(2**40))
    assert live(second) == [("X", 0, 2)]


def test_what_was_lost_is_given_again(make: Make) -> None:
    """As it is by then, and what has not changed since, too; closed windows are not."""
    for watermark in Watermark:
        kernel = make(watermark=watermark)
        feed(kernel, tick(0, symbol="X"), tick(1, symbol="Y"))
        assert live(kernel) == [("X", 0, 1), ("Y", 0, 1)]
        feed(kernel, tick(2, symbol="Y"), tick(61, symbol="X"), base_offset=2)
        kernel.drain()
        kernel.give_live_again()
        still_open = [("Y", 0, 2)] if watermark is Watermark.SERIES else []
        assert live(kernel) == [("X", 1, 1), *still_open]
        assert live(kernel) == []


def test_a_closed_window_is_given_no_more(make: Make) -> None:
    """Its final bar has left."""
    kernel = make()
    feed(kernel, tick(0), tick(61))
    take(kernel)
    assert live(kernel) == [("X", 1, 1)]


def records(block: BarBlock) -> list[tuple[bytes | None, dict[str, object]]]:
    """Keys, and values behind one byte of header."""
    schema = fastavro.parse_schema(bar_schema(9))
    out = []
    for one in encoded(block):
        for record in iter_records(one.payload, one.count):
            assert record.value is not None
            assert record.value[:1] == b"L"
            value = fastavro.schemaless_reader(io.BytesIO(record.value[1:]), schema, None)
            assert isinstance(value, dict)
            out.append((record.key, value))
    return out


def test_a_live_bar_is_keyed_by_its_series_and_not_final(make: Make) -> None:
    """Text in either key format, with a header of its own before the value."""
    for key_format in KeyFormat:
        kernel = make(key_format=key_format, key_header=b"K", value_header=b"V", live_header=b"L")
        feed(kernel, tick(0, 7, "a|b"))
        [(key, value)] = records(kernel.take_live())
        assert (key, value["final"], value["tick_count"]) == (b"A|a\\|b", False, 1)
        assert not encoded(kernel.take_live(), 100)


def test_partial_bars_are_left_out_if_so_configured(make: Make) -> None:
    """They close as any; only their records are missing, and that is counted."""
    kernel = make(skip_partial=True, began_whole=False, live_header=b"L", value_header=b"L")
    feed(kernel, tick(1), tick(2, symbol="Y"), tick(61, symbol="Y"))
    block = kernel.take_live()
    assert (len(block), block.skipped) == (2, 1)
    assert [key for key, _ in records(block)] == [b"A|Y"]
    feed(kernel, tick(120), base_offset=3)
    kernel.drain()
    block = kernel.take_bars()
    assert [(bar.symbol, bar.partial) for bar in block.bars()] == [
        *(("X", True), ("Y", True), ("Y", False)),
    ]
    assert (len(block), block.skipped, len(records(block))) == (3, 2, 1)
    assert kernel.brokers()[0].closed_through_ns == NOON_NS + 2 * MINUTE


def test_nothing_is_left_out_by_default(make: Make) -> None:
    """A partial bar leaves, and says so."""
    kernel = make(began_whole=False, value_header=b"L")
    feed(kernel, tick(1), tick(61))
    kernel.drain()
    block = kernel.take_bars()
    assert (block.skipped, [value["partial"] for _, value in records(block)]) == (0, [True])
