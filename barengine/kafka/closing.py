"""Ending aiokafka's clients for good, even when they would wait for a broker that is gone."""

from __future__ import annotations

import asyncio
from typing import Any, Final

_STOP_S: Final = 10.0
"""For a clean stop: leaving the group, answers on their way."""

_CANCEL_S: Final = 3.0
_CLOSE_S: Final = 5.0


def being_cancelled() -> bool:
    """Whether the current task itself is to end: aiokafka also lets go of cancellations that were
    meant for tasks of its own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def stop_consumer(consumer: Any) -> None:
    """Stop a consumer, by force if it takes too long. Raises nothing of its own."""
    hang_up_at_the_end(consumer._client)
    try:
        async with asyncio.timeout(_STOP_S):
            await consumer.stop()
    except asyncio.CancelledError:
        # aiokafka cancels its tasks and awaits them; one that had not run yet raises this here.
        await _force(consumer)
        if being_cancelled():
            raise
    except Exception:  # whatever it is, the consumer must go
        await _force(consumer)


async def _force(consumer: Any) -> None:
    parts = (consumer._coordinator, consumer._fetcher)
    await cancel_tasks_of(*(part for part in parts if part is not None))
    await close_client(consumer._client)


def hang_up_at_the_end(client: Any) -> None:
    """Let an ``AIOKafkaClient`` that is closed end its connections without the peers' consent.

    All that mattered was answered by then. A TLS connection that is closed politely while an
    answer to a fetch is on its way never ends: the answer comes where only a farewell may.
    """
    close = client.close

    async def hang_up() -> None:
        for conn in list(client._conns.values()):
            if conn._writer is not None:
                conn._writer.transport.abort()
        await close()

    client.close = hang_up


async def close_client(client: Any) -> None:
    """Close all connections of an ``AIOKafkaClient``, in bounded time. Raises nothing."""
    hang_up_at_the_end(client)
    closing = asyncio.ensure_future(client.close())
    await asyncio.wait({closing}, timeout=_CLOSE_S)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)


async def throw_away(producer: Any) -> None:
    """End an ``AIOKafkaProducer`` at once: nothing that waits is sent. Raises nothing, takes
    bounded time."""
    producer._closed = True  # what stop() would say first; it could wait for ever after that
    await cancel_tasks_of(producer._sender, producer._message_accumulator)
    _forget(producer)
    await close_client(producer.client)


def retrieve(future: asyncio.Future[Any]) -> None:
    """Without this asyncio would report the error as one that nobody has seen."""
    if not future.cancelled():
        future.exception()


def _forget(producer: Any) -> None:
    """Settle everything that still waits inside, and fetch every error."""
    accumulator = producer._message_accumulator
    batches = [one for queue in accumulator._batches.values() for one in queue]
    batches += accumulator._pending_batches
    # A batch waiting to be sent again has left this set, but its callback takes it out once more.
    accumulator._pending_batches.update(batches)
    transactions = producer._txn_manager
    futures = [] if transactions is None else [transactions._transaction_waiter]
    for batch in batches:
        futures += (batch.future, batch._drain_waiter)
    for future in futures:
        if future is not None and not future.done():
            future.cancel()
        elif future is not None:
            retrieve(future)


async def cancel_tasks_of(*owners: object) -> None:
    """Cancel every task that runs a method of one of these objects, and wait for them.

    aiokafka keeps the tasks of its producer in a local variable, where nothing else finds them.
    """
    for _ in range(3):  # a cancelled parent may await its children first and be cancelled again
        tasks = _tasks_of(owners)
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=_CANCEL_S)


def _tasks_of(owners: tuple[object, ...]) -> set[asyncio.Task[Any]]:
    found = set()
    for task in asyncio.all_tasks():
        frame = getattr(task.get_coro(), "cr_frame", None)
        receiver = None if frame is None else frame.f_locals.get("self")
        if any(receiver is owner for owner in owners):
            found.add(task)
    return found
