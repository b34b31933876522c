"""What ``_fresh`` gives, in Python: the bytes are zeroed before and copied after."""

from __future__ import annotations

from collections.abc import Callable


def written(most: int, write: Callable[[memoryview], int]) -> bytes:
    """The bytes that ``write(view)`` has put to the front of a view of ``most`` bytes.

    It returns how many these are, and keeps no part of the view.

    Raises:
        ValueError: it says that it has written more than there was room for.
    """
    room = bytearray(most)
    size = write(memoryview(room))
    if not 0 <= size <= most:
        raise ValueError(f"{size} of {most} bytes were written")
    return bytes(room[:size])
