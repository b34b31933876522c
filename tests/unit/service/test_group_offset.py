"""What a group offset tells of the state."""

from __future__ import annotations

import pytest

from barengine.engine.state import PartitionRecord
from barengine.errors import StateError
from barengine.service.group_offset import GroupOffset, check, parse, tag

STORED = PartitionRecord(50, 40, 7, True, "{}")


def test_a_tag_is_read_back() -> None:
    """The seq of the commit; 0 where an older release left it out."""
    assert parse((50, tag(7))) == GroupOffset(50, 7)
    assert parse((50, "barengine")) == GroupOffset(50, 0)
    assert parse(None) is None


@pytest.mark.parametrize("metadata", ["", "someone else", "Barengine"])
def test_an_offset_without_the_tag_is_foreign(metadata: str) -> None:
    """Kafka's own tools leave the metadata empty."""
    found = parse((50, metadata))
    assert found is not None
    assert found.foreign


@pytest.mark.parametrize(
    ("found", "stored"),
    [
        (None, None),
        (None, STORED),
        (GroupOffset(50, 7), STORED),
        (GroupOffset(10, 3), STORED),
        (GroupOffset(50, None), STORED),
    ],
)
def test_what_is_fine(found: GroupOffset | None, stored: PartitionRecord | None) -> None:
    """None (it expires), ours of this commit or an older one, and a foreign one that says C."""
    check("g", found, stored)


@pytest.mark.parametrize(
    ("found", "stored", "words"),
    [
        (GroupOffset(49, None), STORED, r"offset 49, .*the state says 50.* someone reset it"),
        (GroupOffset(0, None), None, "the state says nothing yet"),
        (GroupOffset(50, 7), None, "state is gone, .* tells of commit 7"),
        (GroupOffset(50, 0), None, "state is gone"),
        (GroupOffset(60, 8), STORED, "newest commit is 7, .* tells of commit 8"),
    ],
)
def test_what_is_refused(found: GroupOffset, stored: PartitionRecord | None, words: str) -> None:
    """A foreign offset that is not C, a tag without a state, a tag beyond the state."""
    with pytest.raises(StateError, match=words):
        check("g", found, stored)
