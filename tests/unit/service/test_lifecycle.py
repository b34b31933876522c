"""States of a partition task."""

from __future__ import annotations

import itertools

import pytest

from barengine.service.lifecycle import TaskState, check_move

ALLOWED = {
    ("created", "restoring"),
    ("created", "closing"),
    ("restoring", "restoring"),
    ("restoring", "running"),
    ("restoring", "fenced"),
    ("restoring", "suspended"),
    ("restoring", "closing"),
    ("running", "restoring"),
    ("running", "fenced"),
    ("running", "suspended"),
    ("running", "closing"),
    ("fenced", "restoring"),
    ("fenced", "closing"),
    ("suspended", "restoring"),
    ("suspended", "closing"),
    ("closing", "closed"),
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(TaskState, TaskState)))
def test_only_the_moves_of_the_diagram(before: TaskState, after: TaskState) -> None:
    """A task makes the moves of the diagram and no other."""
    if (before.value, after.value) in ALLOWED:
        check_move(before, after)
    else:
        with pytest.raises(RuntimeError, match=f"from {before} to {after}"):
            check_move(before, after)
