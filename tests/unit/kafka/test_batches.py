"""Splitting the bytes of a fetch into record batches."""

from __future__ import annotations

import struct

import pytest

from barengine.errors import CorruptBatchError, KafkaUnavailableError
from barengine.kafka.batches import BatchRead, read_batches
from barengine.kafka.compression import CODECS
from barengine.kernel import end_of
from tests.unit.kafka.build import (
    CONTROL,
    LOG_APPEND_TIME,
    TRANSACTIONAL,
    batch,
    marker,
    message_set,
    read,
    values,
    with_body,
)

MANY = [b"value %d" % number for number in range(100)]


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_is_read(codec: str) -> None:
    """A batch of any codec comes out with its records, offsets and times."""
    [(found, next_offset)] = read(batch(7, MANY, codec=codec, base_time_ms=123))
    assert found is not None
    assert (found.records, found.base_offset, found.base_time_ms) == (100, 7, 123)
    assert values([BatchRead(found, next_offset)]) == list(enumerate(MANY, start=7))
    assert next_offset == 107


def test_batches_come_one_after_the_other() -> None:
    """Each batch carries the offset behind it."""
    data = batch(0, MANY[:3]) + batch(3, MANY[3:5], codec="lz4")
    assert [one.next_offset for one in read(data)] == [3, 5]
    assert values(read(data)) == list(enumerate(MANY[:5]))
    assert end_of(data, 0) == 5


@pytest.mark.parametrize("cut", [1, 40, 60, 61, 70])
def test_a_cut_last_batch_is_left_for_the_next_fetch(cut: int) -> None:
    """What is not there whole is as if it were not there."""
    whole = batch(0, MANY[:3])
    data = whole + batch(3, MANY[3:])[:cut]
    assert [one.next_offset for one in read(data)] == [3]
    assert end_of(data, 0) == 3


def test_a_first_batch_that_is_cut_is_an_error() -> None:
    """Without a whole batch the fetch must be made again: nothing is stepped over."""
    data = batch(5, MANY)[:-1]
    with pytest.raises(CorruptBatchError, match="no whole record batch"):
        read(data, offset=5)
    assert end_of(data, 5) == 5


def test_no_bytes_are_no_batches() -> None:
    """An empty answer is not an error."""
    assert read(b"") == []
    assert end_of(b"", 9) == 9


def test_log_append_time_is_the_batch_s_largest_time() -> None:
    """Under LogAppendTime all records have the time that the broker wrote into the header."""
    [(stamped, _)] = read(batch(0, MANY, attributes=LOG_APPEND_TIME, max_time_ms=777))
    [(plain, _)] = read(batch(0, MANY, max_time_ms=777))
    assert stamped is not None
    assert plain is not None
    assert (stamped.append_time_ms, plain.append_time_ms) == (777, None)


def test_a_compaction_gap_moves_the_position() -> None:
    """The header's last offset counts, not the last record that compaction has left."""
    data = batch(10, [b"a", b"b"], deltas=[2, 5], last_delta=9)
    assert values(read(data, offset=10)) == [(12, b"a"), (15, b"b")]
    assert [one.next_offset for one in read(data, offset=10)] == [20]
    assert end_of(data, 10) == 20


def test_an_emptied_batch_moves_the_position() -> None:
    """A batch that compaction has emptied has nothing for us but an end."""
    assert read(batch(10, [], last_delta=4), offset=10) == [(None, 15)]


def test_control_batches_are_passed_over() -> None:
    """A commit marker takes up an offset and is no record."""
    data = batch(0, [b"a"], attributes=TRANSACTIONAL, producer_id=1) + marker(1, 1, commit=True)
    assert values(read(data)) == [(0, b"a")]
    assert read(data)[-1] == (None, 2)


def test_a_control_batch_without_a_transaction_is_passed_over() -> None:
    """Markers that do not speak of transactions (such as a leader change) are no records either."""
    assert read(with_body(batch(0, [b""], attributes=CONTROL), marker(0, 1, commit=True)[61:])) == [
        (None, 1)
    ]


def test_aborted_transactions_are_dropped() -> None:
    """A producer's batches are dropped from an aborted transaction's first offset to its marker.

    offset    0    1    2       3    4       5
    producer  1    2    1 abort 1    2       1 commit
    """
    data = (
        batch(0, [b"aborted"], attributes=TRANSACTIONAL, producer_id=1)
        + batch(1, [b"other"], attributes=TRANSACTIONAL, producer_id=2)
        + marker(2, 1, commit=False)
        + batch(3, [b"again"], attributes=TRANSACTIONAL, producer_id=1)
        + batch(4, [b"plain"])
        + marker(5, 1, commit=True)
    )
    found = read(data, aborted=[(1, 0)])
    assert values(found) == [(1, b"other"), (3, b"again"), (4, b"plain")]
    assert [one.next_offset for one in found] == [1, 2, 3, 4, 5, 6]


def test_two_aborts_of_one_producer() -> None:
    """Each aborted transaction ends at its own marker, in whatever order the broker lists them."""
    data = b"".join(
        batch(3 * place, [b"x"], attributes=TRANSACTIONAL, producer_id=1)
        + marker(3 * place + 1, 1, commit=False)
        + batch(3 * place + 2, [b"kept"], attributes=TRANSACTIONAL, producer_id=1)
        for place in range(2)
    )
    assert values(read(data, aborted=[(1, 3), (1, 0)])) == [(2, b"kept"), (5, b"kept")]


def test_an_abort_that_began_before_the_fetch() -> None:
    """The broker lists it with its first offset, which lies below what was asked for."""
    data = batch(50, [b"x"], attributes=TRANSACTIONAL, producer_id=1) + batch(51, [b"y"])
    assert values(read(data, aborted=[(1, 20)], offset=50)) == [(51, b"y")]


def test_records_outside_of_a_transaction_survive_an_abort() -> None:
    """A batch that is not transactional is never dropped, whoever wrote it."""
    data = batch(0, [b"a"], producer_id=1)
    assert values(read(data, aborted=[(1, 0)])) == [(0, b"a")]


def test_a_wrong_crc_is_an_error_and_keeps_what_came_before() -> None:
    """A flipped bit is never skipped; the batches before it are good."""
    bad = bytearray(batch(3, MANY))
    bad[-1] ^= 1
    reads = read_batches(batch(0, MANY[:3]) + bytes(bad), (), 0)
    assert next(reads).next_offset == 3
    with pytest.raises(CorruptBatchError, match="CRC in the record batch at offset 3"):
        next(reads)


def test_corrupt_means_try_again() -> None:
    """Whoever handles a broker that is away handles a corrupt batch as well."""
    assert issubclass(CorruptBatchError, KafkaUnavailableError)


@pytest.mark.parametrize("codec", CODECS[1:])
def test_what_cannot_be_decompressed_is_an_error(codec: str) -> None:
    """A CRC over rubbish does not make it data."""
    with pytest.raises(CorruptBatchError, match=f"no {codec}"):
        read(batch(0, [b"a"], codec=codec, body=b"rubbish"))


def test_an_unknown_codec_is_an_error() -> None:
    """Numbers 5 to 7 mean nothing yet."""
    with pytest.raises(CorruptBatchError, match="unknown codec 7"):
        read(batch(0, [b"a"], attributes=7))


def test_an_unknown_format_is_an_error() -> None:
    """A format after 2 is not guessed at."""
    data = bytearray(batch(0, [b"a"]))
    data[16] = 3
    with pytest.raises(CorruptBatchError, match="unknown format 3"):
        read(bytes(data))


@pytest.mark.parametrize("length", [-1, 0, 13])
def test_a_nonsense_length_ends_the_fetch(length: int) -> None:
    """A length below any batch's size is no way to a next batch, and no endless loop."""
    nonsense = struct.pack(">qi", 3, length) + bytes(60)
    assert end_of(batch(0, MANY[:3]) + nonsense, 0) == 3
    with pytest.raises(CorruptBatchError):
        read(nonsense, offset=3)


def test_a_format_2_batch_shorter_than_its_header_is_an_error() -> None:
    """Long enough for an old message, too short for a batch."""
    data = struct.pack(">qiib", 0, 20, 0, 2) + bytes(15)
    with pytest.raises(CorruptBatchError, match="a record batch of 32 bytes"):
        read(data)
    assert end_of(data, 0) == 0


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [0, 1, 2])
def test_old_message_sets_are_rewritten(magic: int, codec: int) -> None:
    """Messages of formats 0 and 1 come out in the layout of format 2, plain or compressed."""
    found = read(message_set(magic, 40, MANY[:4], codec), offset=40)
    assert values(found) == list(enumerate(MANY[:4], start=40))
    assert found[-1].next_offset == 44
    assert end_of(message_set(magic, 40, MANY[:4], codec), 40) == 44
    assert found[0].batch is not None
    assert found[0].batch.base_time_ms == (5000 if magic else -1)


def test_an_old_lz4_message_set_is_rewritten() -> None:
    """Format 1 knows lz4 as well."""
    assert values(read(message_set(1, 40, MANY, 3), offset=40)) == list(enumerate(MANY, start=40))


def test_old_and_new_formats_side_by_side() -> None:
    """A log that was upgraded in between holds both."""
    data = message_set(1, 0, MANY[:2]) + batch(2, MANY[2:4])
    assert values(read(data)) == list(enumerate(MANY[:4]))


@pytest.mark.parametrize("codec", [0, 1])
def test_a_damaged_old_message_set_is_an_error(codec: int) -> None:
    """Its CRC-32 is checked too."""
    bad = bytearray(message_set(1, 0, MANY[:1], codec))
    bad[-1] ^= 1
    with pytest.raises(CorruptBatchError, match="old message set"):
        read(bytes(bad))


def test_reading_is_lazy() -> None:
    """A batch is decompressed when it is asked for, so that the caller can pause in between."""
    reads = read_batches(batch(0, [b"a"]) + batch(1, [b"b"], codec="zstd", body=b"rubbish"), (), 0)
    assert next(reads).next_offset == 1
    with pytest.raises(CorruptBatchError):
        next(reads)
