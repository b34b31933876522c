"""Writing outside of any transaction: what may be lost, and must hold nobody up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from barengine.kafka.client import ConnectionConfig
from barengine.kafka.closing import throw_away
from barengine.kafka.output import PrebuiltBatch
from barengine.kafka.sink import OutBatch
from barengine.kafka.translate import translate

_SEND_S: Final = 10.0
"""For all batches of one call, a connection that must be made first included."""

_RETRY_MS: Final = 50


class PlainSink:
    """One producer, made when it is needed; after an error a new one.

    Args:
        compression: none, gzip, snappy, lz4 or zstd.
        what: is sent, for errors, such as ``live bars``.
    """

    def __init__(self, connection: ConnectionConfig, compression: str, what: str) -> None:
        self._connection = connection
        self._codec = str(compression)
        self._what = what
        self._producer: Any = None

    async def send(self, batches: Sequence[OutBatch]) -> None:
        """Write all batches, those of a partition in order; returns when the broker has them.

        Raises:
            KafkaUnavailableError, ConfigurationError: some may be there and some may not. What is
                on its way is given up, so that nothing of it arrives behind what is sent next.
        """
        try:
            async with asyncio.timeout(_SEND_S):
                await self._send(batches)
        except BaseException as error:
            await self.discard()
            if isinstance(error, Exception):
                raise translate(error, f"sending {self._what}") from error
            raise

    async def discard(self) -> None:
        """Throw the producer away at once, if there is one; never raises, takes bounded time."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await throw_away(producer)

    async def _send(self, batches: Sequence[OutBatch]) -> None:
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                **self._connection.kwargs(),
                acks="all",
                request_timeout_ms=int(_SEND_S * 1000),
                retry_backoff_ms=_RETRY_MS,
            )
            await self._producer.start()
        built = await asyncio.to_thread(self._build, batches)
        sent = [
            await self._producer.send_batch(batch, out.topic, partition=out.partition)
            for out, batch in zip(batches, built, strict=True)
        ]
        await asyncio.gather(*sent)

    def _build(self, batches: Sequence[OutBatch]) -> list[PrebuiltBatch]:
        return [PrebuiltBatch(one.records, self._codec, transactional=False) for one in batches]
