"""The states of a partition task, and the only place that says which may follow which.

                       +----------+
                       | CREATED  |-----------------------------+
                       +----+-----+                             |
                            | assigned                          |
         assigned again     v                                   |
       +-------------->+----------+   another owner   +-------+ |
       |        +----->|RESTORING |<------------------|FENCED | |
       |        |      +----+-----+------------------>+---+---+ |
       | commit |           | position = C     fenced     |     |
       | failed |           v                             |     |
       |        |      +----------+       fenced          |     |
       |        +------| RUNNING  |---------------------->+     |
       |               +----+-----+                       |     |
       |    revoked         |                             |     |
  +----+------+<------------+ SIGTERM                     |     |
  | SUSPENDED |             |                             |     |
  +----+------+             v                             |     |
       |  went     +----------+<--------------------------+     |
       +---------->| CLOSING  |<--------------------------------+
     elsewhere     +----+-----+
                        | committed or abandoned
                        v
                   +----------+
                   |  CLOSED  |
                   +----------+

SUSPENDED keeps engine and producer in memory through a rebalance: what is due is committed first.
If the partition comes back, RESTORING finds out whether anybody ran it meanwhile, which takes a
look at the end of the state instead of a replay.

RESTORING may also follow itself (the attempt failed and begins again), go to CLOSING, and, when it
has reached C, go to SUSPENDED.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class TaskState(StrEnum):
    """Where a partition task is in its life. Reads are served in RUNNING only."""

    CREATED = "created"
    RESTORING = "restoring"
    RUNNING = "running"
    FENCED = "fenced"
    SUSPENDED = "suspended"
    CLOSING = "closing"
    CLOSED = "closed"


_NEXT: Final = {
    TaskState.CREATED: {TaskState.RESTORING, TaskState.CLOSING},
    TaskState.RESTORING: {
        TaskState.RESTORING,
        TaskState.RUNNING,
        TaskState.FENCED,
        TaskState.SUSPENDED,
        TaskState.CLOSING,
    },
    TaskState.RUNNING: {
        TaskState.RESTORING,
        TaskState.FENCED,
        TaskState.SUSPENDED,
        TaskState.CLOSING,
    },
    TaskState.FENCED: {TaskState.RESTORING, TaskState.CLOSING},
    TaskState.SUSPENDED: {TaskState.RESTORING, TaskState.CLOSING},
    TaskState.CLOSING: {TaskState.CLOSED},
    TaskState.CLOSED: set(),
}


def check_move(current: TaskState, following: TaskState) -> None:
    """Refuse a move that the diagram does not have.

    Raises:
        RuntimeError: a defect of barengine, never of its input.
    """
    if following not in _NEXT[current]:
        raise RuntimeError(f"a task cannot go from {current} to {following}")
