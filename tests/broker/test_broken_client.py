"""The client library's own background tasks, and what it means when one of them ends."""

from __future__ import annotations

import asyncio

import pytest

from barengine.errors import BrokenClientError
from tests.broker.members import member
from tests.broker.records import make_topic


@pytest.mark.parametrize("which", ["_fetcher._fetch_task", "_coordinator._coordination_task"])
async def test_a_client_that_has_lost_a_background_task_says_so(
    bootstrap: str, topic_name: str, which: str
) -> None:
    """A background task of the client that ended by itself is no passing trouble."""

    async def ends() -> None:
        raise RuntimeError("gone")

    make_topic(bootstrap, topic_name, 1)
    async with member(bootstrap, topic_name, topic_name) as one:
        holder_name, name = which.split(".")
        holder = getattr(one.source._consumer, holder_name)
        task = asyncio.ensure_future(ends())
        await asyncio.wait([task])
        real = getattr(holder, name)
        setattr(holder, name, task)
        try:
            with pytest.raises(BrokenClientError, match="gone"):
                await one.source.poll(0.1)
        finally:
            setattr(holder, name, real)
