"""Waiting until the engine has committed everything there is, as its stored state tells."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from barengine.codec.page import decode_page_value
from barengine.demo.readback import log_ends
from barengine.engine.state import StateImage
from barengine.errors import BarengineError
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.state_reader import read_state
from barengine.model import NS_PER_S, Watermark
from barengine.service.app import App
from barengine.settings import Settings

_POLL_S: Final = 0.2
_PATIENCE_S: Final = 20.0
"""Beyond what silence needs: for commits, and for a machine that is busy."""
_LONGEST_NS: Final = 60 * NS_PER_S
"""A roll-up that takes longer is not waited for: its last bars stay open."""


class Settling:
    """The end of the input: every record processed, every window closed and committed."""

    def __init__(self, settings: Settings, connection: ConnectionConfig, app: App) -> None:
        self._settings = settings
        self._connection = connection
        self._app = app
        idle_ns = settings.idle_timeout_ns or 0
        waited = [one for one in settings.rollups if one.length_ns <= _LONGEST_NS]
        if settings.watermark is Watermark.SERIES:  # silence closes what has an open window
            waited = []
        self._waited = {one.name for one in waited}
        longest_ns = max([settings.period.length_ns, *(one.length_ns for one in waited)])
        self.usual_s = (idle_ns + longest_ns + settings.grace_ns) / NS_PER_S + 1
        """Silence counts from the last tick on, and the last bucket may just have begun."""

    async def wait(self) -> None:
        """Return when all is committed.

        Raises:
            BarengineError: it is not, long after it should have been.
        """
        reached, since = -1, time.monotonic()
        while True:
            tasks: list[dict[str, Any]] = list(self._tasks().values())
            if all(_idle(task) for task in tasks) and await self._committed():
                return
            position = sum(task.get("position", 0) for task in tasks)
            if position > reached:  # still reading: the clock of silence has not begun
                reached, since = position, time.monotonic()
            if time.monotonic() - since > self.usual_s + _PATIENCE_S:
                raise BarengineError(
                    f"some windows did not close within {self.usual_s + _PATIENCE_S:.0f} s of the "
                    f"last tick: {self._tasks()}"
                )
            await asyncio.sleep(_POLL_S)

    def _tasks(self) -> dict[str, Any]:
        tasks: dict[str, Any] = self._app.status()["tasks"]  # type: ignore[assignment]
        return tasks

    async def _committed(self) -> bool:
        """Whether the state says so, read committed: C is the end of the log, and L is C."""
        settings = self._settings
        ends = await log_ends(self._connection, settings.input_topic)
        for partition, (_, end) in ends.items():
            records = await read_state(self._connection, settings.state_topic, partition)
            image = StateImage.read(records)
            stored = image.partition
            if stored is None or not stored.commit_offset == stored.low_water == end:
                return False
            if self._waited & _open_periods(image):
                return False
        return True


def _open_periods(image: StateImage) -> set[str]:
    """Roll-ups of which a bar is open."""
    pages = (decode_page_value(*names, value) for names, value in image.pages.items())
    return {period for *_, opened in pages for period, _ in opened}


def _idle(task: dict[str, Any]) -> bool:
    return task.get("lag_records") == 0 and task.get("windows_open") == 0
