"""Work beside other work: whatever fails first ends all of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from barengine.errors import BarengineError

_T = TypeVar("_T")


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """A task that ends with the block."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def beside(work: Coroutine[Any, Any, _T], *others: asyncio.Task[None]) -> _T:
    """The result of ``work``, which is given up when one of the others ends.

    Raises:
        BarengineError: another ended by itself.
        Exception: what ended it.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task, *others}, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            if other.done():
                other.result()
                raise BarengineError(f"{other.get_name()} ended by itself")
        return await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
