"""What a broker refuses for good ends the process; all else may pass."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import errors as kafka

from barengine.errors import RefusedBatchError
from barengine.kafka.sink import _raise_first, _Sent


async def answered(code: int) -> _Sent:
    """A batch that the broker has answered with that code."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_exception(kafka.for_code(code)())
    return _Sent("letters", 100, future)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (10, "raise its max.message.bytes"),
        (18, "raise its segment.bytes"),
        (32, "raise its message.timestamp.after.max.ms"),
        (44, "PolicyViolationError): a policy of the cluster"),
        (87, "InvalidRecordError): set its cleanup.policy=delete"),
    ],
)
async def test_what_no_retry_mends_names_its_way_out(code: int, words: str) -> None:
    """Size, time, policy, and a record without a key where the topic is compacted."""
    with pytest.raises(RefusedBatchError) as caught:
        _raise_first([await answered(code)])
    said = str(caught.value)
    assert said.startswith("letters refuses a batch of 100 bytes (")
    assert words in said
    assert caught.value.topic == "letters"


async def test_what_may_pass_stays_what_it_is() -> None:
    """A leader that has moved, an error that nobody knows."""
    for code, kind in ((6, kafka.NotLeaderForPartitionError), (9999, kafka.UnknownError)):
        with pytest.raises(kind):
            _raise_first([await answered(code)])
