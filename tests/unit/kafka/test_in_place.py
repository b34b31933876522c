"""Answers that are decoded without a copy of their large parts."""

from __future__ import annotations

import io
from typing import Any

import pytest
from aiokafka.protocol import fetch

from barengine.kafka.raw import InPlace

ANSWERS = [getattr(fetch, f"FetchResponse_v{version}") for version in (4, 5, 7, 11)]
KIB = 1024


def partition(answer: Any, number: int, data: bytes) -> tuple[Any, ...]:
    """What an answer says of one partition, whichever fields it has."""
    of_partition = answer.SCHEMA.fields[-1].array_of.fields[-1].array_of
    known = {"partition": number, "aborted_transactions": [(7, 8)], "message_set": data}
    return tuple(known.get(name, number + 1) for name in of_partition.names)


def encoded(answer: Any, *sizes: int) -> bytes:
    """An answer with a part of each size, behind four bytes of something else."""
    parts = [partition(answer, at, bytes([at]) * size) for at, size in enumerate(sizes)]
    head = [0] * (len(answer.SCHEMA.fields) - 1)
    return b"head" + bytes(answer(*head, [("ticks", parts)]).encode())


def decoded(answer: Any, data: bytes) -> Any:
    stream = io.BytesIO(data)
    stream.seek(4)
    return InPlace(answer).decode(stream)


@pytest.mark.parametrize("answer", ANSWERS)
def test_it_is_the_same_answer(answer: Any) -> None:
    """Each version, with parts that stay, are copied, or are empty; every other field as it was."""
    data = encoded(answer, 400 * KIB, 0, 100 * KIB, 70 * KIB)
    assert decoded(answer, data) == answer.decode(data[4:])


def test_large_parts_stay_in_the_answer() -> None:
    """As long as they are a fifth of it: whoever holds a part holds all of the answer."""
    data = encoded(ANSWERS[0], 400 * KIB, 0, 100 * KIB, 200 * KIB)
    parts = [one[-1] for one in decoded(ANSWERS[0], data).topics[0][1]]
    assert [type(part) for part in parts] == [memoryview, bytes, bytes, memoryview]
    assert parts[0].obj is parts[3].obj


def test_small_ones_are_copied() -> None:
    """Strings are among them, of which others expect to be bytes."""
    [(topic, [part])] = decoded(ANSWERS[0], encoded(ANSWERS[0], 64 * KIB - 1)).topics
    assert topic == "ticks"
    assert type(part[-1]) is bytes


def test_an_answer_that_ends_early_is_an_error() -> None:
    """As without us."""
    data = encoded(ANSWERS[0], 100 * KIB)[:-1]
    with pytest.raises(ValueError, match="Buffer underrun"):
        decoded(ANSWERS[0], data)
