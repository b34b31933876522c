"""The client library's own background tasks, and what it means when one of them ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from barengine.errors import BrokenClientError
from tests.broker.members import member
from tests.broker.records import make_topic

TASKS = (
    "_fetcher._fetch_task",
    "_coordinator._coordination_task",
    "_coordinator._heartbeat_task",
    "_client._sync_task",
)


async def fails() -> None:
    raise RuntimeError("gone")


async def is_cancelled() -> None:
    raise asyncio.CancelledError


async def ends() -> None:
    """As the tasks of aiokafka do that were cancelled and caught it."""


@pytest.mark.parametrize("end", [fails, is_cancelled, ends])
@pytest.mark.parametrize("which", TASKS)
async def test_a_client_that_has_lost_a_background_task_says_so(
    bootstrap: str, topic_name: str, which: str, end: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """A background task of the client that ended by itself is no passing trouble."""
    make_topic(bootstrap, topic_name, 1)
    async with member(bootstrap, topic_name, topic_name) as one:
        await one.until(lambda: one.source._consumer._coordinator._heartbeat_task is not None)
        holder_name, name = which.split(".")
        holder = getattr(one.source._consumer, holder_name)
        task = asyncio.ensure_future(end())
        await asyncio.wait([task])
        real = getattr(holder, name)
        setattr(holder, name, task)
        try:
            with pytest.raises(BrokenClientError, match="it has ended"):
                await one.source.poll(0.1)
        finally:
            setattr(holder, name, real)
