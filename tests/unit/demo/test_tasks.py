"""Work beside other work: whatever fails first ends all of it."""

from __future__ import annotations

import asyncio

import pytest

from barengine.demo.tasks import background, beside
from barengine.errors import BarengineError


async def forever(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("ended")


async def failing() -> None:
    raise OSError("broken")


async def done() -> None:
    return


async def test_work_that_ends_gives_its_result() -> None:
    """The others go on."""
    ended: list[str] = []

    async def work() -> int:
        return 7

    async with background(forever(ended)) as other:
        assert await beside(work(), other) == 7
        assert not other.done()
    assert ended == ["ended"]


async def test_the_failure_of_another_ends_the_work() -> None:
    """Its error is raised, and the work is cancelled."""
    ended: list[str] = []
    async with background(failing()) as other:
        with pytest.raises(OSError, match="broken"):
            await beside(forever(ended), other)
    assert ended == ["ended"]


async def test_another_must_not_end_by_itself() -> None:
    """A helper that is done though nobody ended it is an error as well."""
    ended: list[str] = []
    async with background(done()) as other:
        other.set_name("helper")
        with pytest.raises(BarengineError, match="helper ended by itself"):
            await beside(forever(ended), other)
    assert ended == ["ended"]


async def test_cancelling_reaches_the_work() -> None:
    """Nothing goes on behind a cancelled wait."""
    ended: list[str] = []
    waiting = asyncio.create_task(beside(forever(ended)))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended == ["ended"]
