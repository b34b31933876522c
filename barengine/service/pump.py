"""Feeds the fetches of one partition into its engine, in order, without holding up the loop.

Backpressure is one rule: the pump waits (for room in the output, for the registry), its inbox
fills, and a full inbox pauses the partition.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

import structlog

from barengine.engine.partition import PartitionEngine
from barengine.errors import KafkaUnavailableError, RegistryUnavailableError
from barengine.kafka.fetch import Fetch
from barengine.service.commits import Committer
from barengine.service.wiring import Wiring, wall_ns

log = structlog.get_logger(__name__)

_SLICE_S: Final = 0.005
"""Longest stretch of work without giving the event loop back: heartbeats stay on time."""

_PIECE: Final = 4096
"""Records of a batch that are taken at a stretch, before the clock is looked at: less than half a
millisecond, or some ten where each is rejected. Producers' batches are smaller as a rule."""

_FETCHES: Final = 2
"""Fetches in hand at which the partition is paused: one at work, one ready."""

_REGISTRY_WAITS_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Waits between questions to a registry that is down; the last one repeats."""

_UNKNOWN_SCHEMA_S: Final = 60.0
"""How long an answer "unknown schema id" holds before the registry is asked again."""


class Pump:
    """Takes fetches, and silence, into one engine until it is cancelled or something fails.

    Args:
        on_live: called once in each run, when replay has reached C.
        silent_until_ns: wall time up to which what came before this pump may count as silence;
            None: all of it does.
    """

    def __init__(
        self,
        partition: int,
        engine: PartitionEngine,
        committer: Committer,
        wiring: Wiring,
        on_live: Callable[[], None],
        silent_until_ns: int | None = None,
    ) -> None:
        self._partition = partition
        self._engine = engine
        self._committer = committer
        self._wiring = wiring
        self._on_live = on_live
        self._live = False
        self._inbox: deque[Fetch] = deque()
        self._arrived = asyncio.Event()
        self._busy = False
        self._paused = True
        self._silent_until_ns = silent_until_ns
        self._silence_resumed = False
        self._silent_ns = 0
        self._silent_before_ns = 0
        self._unknown: dict[int, float] = {}
        self.looked_ns = wall_ns() if silent_until_ns is None else silent_until_ns
        """Wall time of the last answer that has shown silence."""
        self.waiting_for_schema: int | None = None
        """The schema id that the registry does not answer for; nothing goes on meanwhile."""

    def offer(self, fetch: Fetch) -> None:
        """Take a fetch; one from before a seek is dropped."""
        source = self._wiring.source
        if not source.is_current(fetch):
            return
        self._inbox.append(fetch)
        self._arrived.set()
        if self._busy + len(self._inbox) >= _FETCHES and not self._paused:
            self._paused = True
            source.pause(self._partition)

    def observe(self) -> None:
        """Apply the silence observed so far; it counts only behind all data before it."""
        engine, source = self._engine, self._wiring.source
        self._forget_unknown()
        if self._busy or self._inbox or engine.replaying:
            return
        if not self._silence_resumed and source.at_end(self._partition):
            self._silence_resumed = True
            if engine.live_records == 0:
                until_ns = self._silent_until_ns
                engine.resume_silence(wall_ns() if until_ns is None else until_ns)
        self._observe(source.observed_ns(self._partition))

    def _observe(self, since_seek_ns: int) -> None:
        """The engine's clock of silence never goes back, though a seek sets the source's to 0."""
        silent_ns = self._silent_before_ns + since_seek_ns
        if silent_ns > self._silent_ns:
            self.looked_ns = wall_ns()
        self._silent_ns = silent_ns
        self._engine.observe(self._silent_ns)

    async def run(self) -> None:
        """Pump until cancelled. May be called again after that, once the partition is assigned."""
        self._wiring.source.seek(self._partition, self._engine.position)
        self._silent_before_ns = self._silent_ns
        self._inbox.clear()
        self._paused, self._live = True, False
        self.waiting_for_schema = None
        self._went_on()
        while True:
            while not self._inbox:
                self._resume()
                self._arrived.clear()
                await self._arrived.wait()
            self._busy = True
            try:
                fetch = self._inbox.popleft()
                self._resume()
                await self._take(fetch)
            finally:
                self._busy = False

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._wiring.source.resume(self._partition)

    def _went_on(self) -> None:
        """Say it when replay is over."""
        if not self._live and not self._engine.replaying:
            self._live = True
            self._on_live()

    async def _take(self, fetch: Fetch) -> None:
        engine = self._engine
        if fetch.offset > engine.position:
            raise KafkaUnavailableError(
                f"offsets {engine.position} to {fetch.offset - 1} were not handed over"
            )
        self._observe(fetch.observed_ns)
        work = self._work(fetch)
        unfinished = True
        while unfinished:
            schema_id = None
            async with self._wiring.turn:
                # Others who are ready, and the next request, come first: then the loop is ours.
                await self._wiring.source.ask_ahead()
                before = engine.live_records
                until = time.monotonic() + _SLICE_S
                for schema_id in work:
                    if schema_id is not None or time.monotonic() > until or self._committer.full:
                        break
                else:
                    unfinished = False
                self._wiring.metrics.count_ticks(self._partition, engine.live_records - before)
            self._committer.backlog = max(0, fetch.end - engine.position)
            self._committer.wake()
            if schema_id is not None:
                await self._learn(schema_id)
            await self._committer.room()

    def _work(self, fetch: Fetch) -> Iterator[int | None]:
        """Feed the batches; pauses behind each one (behind pieces of a large one, or of one that
        makes more output than a transaction may carry), and where it cannot go on by itself."""
        engine = self._engine
        for batch, next_offset in fetch.batches():
            if batch is None:  # control or aborted: only the position moves
                engine.skip_to(next_offset)
                self._went_on()
                yield None
                continue
            while engine.position < next_offset:
                begin = max(engine.position, batch.base_offset)
                piece = min(_PIECE, self._committer.allowance.records)
                outcome = engine.feed(batch, min(next_offset, begin + piece), wall_ns())
                if not self._live:
                    self._went_on()
                yield outcome.need_schema

    async def _learn(self, schema_id: int) -> None:
        """Wait until the registry answers: a record is never skipped because it is down."""
        waits = itertools.chain(_REGISTRY_WAITS_S, itertools.repeat(_REGISTRY_WAITS_S[-1]))
        for attempt, wait_s in enumerate(waits):
            try:
                reader = await self._wiring.schemas.resolve(schema_id)
            except RegistryUnavailableError as error:
                if attempt == 0:
                    log.warning("registry_unavailable", partition=self._partition, error=str(error))
                self.waiting_for_schema = schema_id
                await asyncio.sleep(wait_s)
                continue
            self.waiting_for_schema = None
            if reader.unknown:
                self._unknown[schema_id] = time.monotonic()
            self._engine.kernel.add_schema(schema_id, *reader)
            return

    def _forget_unknown(self) -> None:
        """Ask the registry again, some time after it did not know an id."""
        now = time.monotonic()
        for schema_id, asked in list(self._unknown.items()):
            if now - asked > _UNKNOWN_SCHEMA_S:
                del self._unknown[schema_id]
                self._engine.kernel.forget_schema(schema_id)
