"""The group's own offsets: for lag tools, and to notice what somebody did behind our back.

Each one that we commit carries a tag in its metadata, with the ``seq`` of the commit it tells of.
So three things can be told from it: somebody reset it (no tag), the state has vanished (a tag,
and no state), or the state lost its end (the tag's seq is beyond it).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from barengine.engine.state import PartitionRecord
from barengine.errors import StateError

_TAG: Final = "barengine"


class GroupOffset(NamedTuple):
    """An offset of the consumer group."""

    offset: int
    seq: int | None
    """Of the commit that it tells of, 0 where the tag does not say; None: not one of ours."""

    @property
    def foreign(self) -> bool:
        """Set by somebody else."""
        return self.seq is None


def tag(seq: int) -> str:
    """Metadata for the group offset of commit ``seq``."""
    return f"{_TAG} seq={seq}"


def parse(committed: tuple[int, str] | None) -> GroupOffset | None:
    """A group offset as it is stored, with its metadata; None stays None."""
    if committed is None:
        return None
    offset, metadata = committed
    if not metadata.startswith(_TAG):
        return GroupOffset(offset, None)
    number = metadata.rpartition("seq=")[2]
    return GroupOffset(offset, int(number) if number.isdecimal() else 0)


def check(group: str, found: GroupOffset | None, stored: PartitionRecord | None) -> None:
    """Insist that the group's offset can be ours, and that the state is not older than it.

    None is normal: group offsets expire.

    Raises:
        StateError: it is not, or the state has lost records.
    """
    if found is None:
        return
    if found.seq is None:
        if stored is None or found.offset != stored.commit_offset:
            ours = "nothing yet" if stored is None else f"{stored.commit_offset}"
            raise StateError(
                f"the group {group} has offset {found.offset}, which barengine did not commit "
                f"(the state says {ours}): someone reset it, and the state alone says where to go "
                "on"
            )
    elif stored is None:
        raise StateError(
            f"the state is gone, though the group's offset {found.offset} tells of commit "
            f"{found.seq}: beginning anew would write bars a second time"
        )
    elif found.seq > stored.seq:
        raise StateError(
            f"the state has lost its end: its newest commit is {stored.seq}, the group's offset "
            f"tells of commit {found.seq}; going on would write bars a second time"
        )
