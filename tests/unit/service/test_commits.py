"""What a committer does on the event loop itself."""

from __future__ import annotations

import asyncio

from barengine.kernel import Reject
from barengine.model import Reason
from barengine.service.commits import _COUNTED, _in_turns


async def test_a_flood_of_letters_is_counted_in_turns() -> None:
    """Each of them once, in order, and whatever else waits for the loop comes in between."""
    letters = [Reject(n, 0, None, None, b"", Reason.FUTURE) for n in range(3 * _COUNTED)]
    turns = 0

    async def work() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(work())
    assert [one.offset async for one in _in_turns(letters)] == list(range(3 * _COUNTED))
    other.cancel()
    assert turns == 3
