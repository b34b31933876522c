"""Records packed back to back into payloads."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barengine.codec.records import Header, encode_record, iter_records, parse_headers
from barengine.kernel import EncodedRecords, Payloads, _payloads, _pure_payloads
from barengine.kernel._protocol import SeriesState
from barengine.kernel._pure_block import PureSeriesBlock
from tests.encoded import payloads_for
from tests.unit.kernel.build import tick
from tests.unit.kernel.conftest import Make
from tests.unit.kernel.test_block import closed

Record = tuple[bytes | None, bytes | None, list[Header], int]

records = st.tuples(
    st.none() | st.binary(max_size=20),
    st.none() | st.binary(max_size=200),
    st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=9)), max_size=3),
    st.integers(-1, 2**42),
)
some = st.lists(records, max_size=20)
limits = st.integers(-1, 500) | st.just(2**62)


@pytest.fixture(params=[_payloads.Payloads, _pure_payloads.Payloads], ids=["compiled", "pure"])
def payloads(request: pytest.FixtureRequest) -> type[Payloads]:
    """Each of the twins."""
    chosen: type[Payloads] = request.param
    return chosen


def packed(made: type[Payloads], content: list[Record], max_bytes: int) -> list[EncodedRecords]:
    to = made(max_bytes)
    for one in content:
        to.add(*one)
    return to.encoded()


def test_the_compiled_one_is_used() -> None:
    """Where the kernel is built."""
    assert Payloads is _payloads.Payloads
    assert Payloads is not _pure_payloads.Payloads


@given(some, limits)
def test_both_are_equal_to_the_byte(content: list[Record], max_bytes: int) -> None:
    """Payloads, counts, times."""
    pure = packed(_pure_payloads.Payloads, content, max_bytes)
    assert packed(_payloads.Payloads, content, max_bytes) == pure


@given(some, limits)
def test_every_record_comes_out_again(content: list[Record], max_bytes: int) -> None:
    """In order, with key, value, headers and time; no payload is larger unless of one record."""
    batches = packed(Payloads, content, max_bytes)
    assert [
        (one.key, one.value, parse_headers(one.headers), batch.base_time_ms + one.timestamp_delta)
        for batch in batches
        for one in iter_records(batch.payload, batch.count)
    ] == content
    assert all(one.count for one in batches)
    assert all(len(one.payload) <= max_bytes or one.count == 1 for one in batches)


@pytest.mark.parametrize("headers", [[], [("header", b"1"), ("null", None)]])
def test_batches_are_filled(payloads: type[Payloads], headers: list[Header]) -> None:
    """Two neighbouring payloads would not have fitted into one."""
    content: list[Record] = [(b"k%d" % at, bytes(at), headers, 1000 + at) for at in range(90)]
    sizes = [len(one.payload) for one in packed(payloads, content, 1000)]
    assert len(sizes) > 3
    assert all(size + following > 1000 for size, following in itertools.pairwise(sizes))


def test_the_layout_is_that_of_the_codec(payloads: type[Payloads]) -> None:
    """Offsets count from 0, times from the first record's; the largest time is told."""
    headers: list[Header] = [("header", b"1"), ("null", None)]
    content: list[Record] = [(b"k", b"v" * 300, headers, 5000), (None, None, [], 4000)]
    [batch] = packed(payloads, content, 10_000)
    first, second = encode_record(0, 0, *content[0][:3]), encode_record(1, -1000, None, None)
    assert batch == EncodedRecords(first + second, 2, 5000, 5000)


def test_blocks_follow_one_another_in_the_same_payload(make: Make) -> None:
    """Whatever comes from one block or another, and what is added to it."""
    block = closed(make(), tick(0, 1.5), tick(60, symbol="Y"))
    series = PureSeriesBlock([SeriesState("a", "b", 1, 2)])
    to = payloads_for(block)
    block.encode(to)
    block.encode(to)
    series.encode(to, 7)
    to.add(b"last", None, (), 8)
    [whole] = to.encoded()
    found = list(iter_records(whole.payload, whole.count))
    assert [one.offset_delta for one in found] == [0, 1, 2, 3]
    assert found[0].key == found[1].key
    assert [one.key for one in found[2:]] == [b"series|a|b", b"last"]
    assert [whole.base_time_ms + one.timestamp_delta for one in found[2:]] == [7, 8]


def test_asking_early_takes_nothing_away(payloads: type[Payloads]) -> None:
    """What is added later is in the same payload as what was there."""
    to = payloads(1000)
    assert to.encoded() == []
    to.add(b"a", b"1", (), 5)
    to.encoded()
    to.add(b"b", b"2", (), 6)
    [both] = to.encoded()
    assert (both.count, both.base_time_ms, both.max_time_ms) == (2, 5, 6)
