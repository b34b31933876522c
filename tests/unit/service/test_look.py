"""A look at the ends of states that goes wrong, and who waits meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from barengine.errors import BarengineError, ConfigurationError, KafkaUnavailableError
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.state_reader import Record
from barengine.service import look as look_module
from barengine.service.look import Look
from tests.processes import PATIENCE_S

STORED: Final[list[Record]] = [(b"k", b"v")]


class Reads:
    """Takes the place of ``read_states``: the first one fails in the midst, the next one works."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.begun, self.fails = asyncio.Event(), asyncio.Event()
        self.asked: list[set[int]] = []

    async def __call__(
        self,
        _connection: Any,
        _topic: str,
        firsts: Mapping[int, int],
        _timeout_s: float,
        done: Callable[[int, list[Record]], None],
    ) -> None:
        self.asked.append(set(firsts))
        done(min(firsts), STORED)
        if len(self.asked) == 1:
            self.begun.set()
            await self.fails.wait()
            raise self.error


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (RuntimeError("gone"), KafkaUnavailableError),
        (ConfigurationError("not allowed"), ConfigurationError),
    ],
)
async def test_a_look_that_fails_holds_up_nobody(
    error: Exception, becomes: type[BarengineError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has no answer yet is told, as of a broker that could not do it; whoever asked
    meanwhile is answered by the next look."""
    reads = Reads(error)
    monkeypatch.setattr(look_module, "read_states", reads)
    look = Look(ConnectionConfig(), "state")
    async with asyncio.timeout(PATIENCE_S):
        answered, waits = (asyncio.create_task(look.records(number, 0)) for number in range(2))
        await reads.begun.wait()
        behind = asyncio.create_task(look.records(2, 0))
        await asyncio.sleep(0)  # it asks
        reads.fails.set()
        with pytest.raises(becomes, match=str(error)) as raised:
            await waits
        assert await answered == await behind == STORED
    assert error in (raised.value, raised.value.__cause__)
    assert reads.asked == [{0, 1}, {2}]
