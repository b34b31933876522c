"""What ``_fresh`` gives, in Python: the bytes are zeroed before and copied after."""

from __future__ import annotations


class Fresh:
    """Room for ``most`` bytes, which are written through views of it and taken when all are there.

    No view outlives it: what somebody could still write to is not given out as bytes, and what
    was given out cannot be written to.
    """

    def __init__(self, most: int) -> None:
        # One more than asked for: a view keeps a bytearray only from changing its size, and an
        # empty one could not shrink.
        self._room = bytearray(most + 1)

    def view(self) -> memoryview:
        """All of it, to be written; what is there before is not defined.

        Raises:
            BufferError: the bytes were taken.
        """
        return memoryview(self._room)[: self._most()]

    def taken(self, size: int) -> bytes:
        """The first ``size`` bytes. Nothing but an error comes from this object afterwards.

        Raises:
            ValueError: there was no room for as many.
            BufferError: a view is left, or a part of one, or the bytes were taken before.
        """
        most = self._most()
        if not 0 <= size <= most:
            raise ValueError(f"{size} of {most} bytes were written")
        made = bytes(self._room[:size])
        self._room.clear()
        return made

    def _most(self) -> int:
        if not self._room:
            raise BufferError("the bytes were taken")
        return len(self._room) - 1
