"""What a contender says, and when."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from benchmarks.child import Moment
from benchmarks.measure import _Watched


class Hasty:
    """A child that says all it has to say, and ends, just before somebody asks whether it did."""

    def __init__(self) -> None:
        self.running: Moment | None = None
        self.done: Moment | None = None
        self.records = 0
        self.changed = threading.Event()

    @property
    def exited(self) -> bool:
        self.running, self.done, self.records = Moment(1.0, 1.0), Moment(2.0, 2.0), 42
        return True


def test_what_is_said_at_the_end_counts() -> None:
    """One that has ended by the time that it is asked has begun and finished all the same."""
    job: Any = SimpleNamespace(records=42, output_topic="out", partitions=1)
    child: Any = Hasty()
    watched = _Watched(child, reader=SimpleNamespace(), wanted={}, job=job)  # type: ignore[arg-type]
    assert watched.until_end() == ""
    assert watched.end == Moment(2.0, 2.0)
