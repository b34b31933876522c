"""GROUP_INSTANCE_ID: a name in the group that belongs to one process at a time."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from barengine.errors import TaskMovedError
from tests.broker.members import Member, member
from tests.broker.records import make_topic

BEYOND_THE_SESSION_S = 2.5


async def hold(one: Member, polls: int) -> None:
    """Poll so often, heartbeats and commits going on."""
    for _ in range(polls):
        await one.poll()


async def test_name_is_taken_over(bootstrap: str, topic_name: str) -> None:
    """A static member that another process has replaced ends, and leaves that one alone."""
    make_topic(bootstrap, topic_name, 1)
    same = {"group_instance_id": "same"}
    async with member(bootstrap, topic_name, topic_name, **same) as old:
        await old.until_assigned(0)
        async with member(bootstrap, topic_name, topic_name, **same) as new:
            await new.until_assigned(0)

            with pytest.raises(TaskMovedError, match="another process has taken GROUP_INSTANCE_ID"):
                await old.until(lambda: False)

            await hold(new, 20)
            assert new.assigned == [{0}]
            assert new.revoked == []


async def test_session_was_over(
    bootstrap: str, topic_name: str, unique_name: Callable[[str], str]
) -> None:
    """A static member that slept beyond its session, and was not replaced, gets its partitions
    again."""
    make_topic(bootstrap, topic_name, 1)
    static = {"group_instance_id": "one", "session_timeout_ms": 1500}
    async with member(bootstrap, topic_name, unique_name("group"), **static) as one:
        await one.until_assigned(0)

        time.sleep(BEYOND_THE_SESSION_S)  # noqa: ASYNC251 - nothing of this process runs meanwhile

        await one.until(lambda: len(one.assigned) > 1)
        assert one.assigned == [{0}, {0}]
