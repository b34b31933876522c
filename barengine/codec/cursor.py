"""A place in one Avro value, moving forward; whatever does not fit is UNDECODABLE."""

from __future__ import annotations

from barengine.codec.tick import undecodable
from barengine.codec.varint import read_varint


class Cursor:
    """Reads the primitives that everything else in Avro is made of.

    Every method raises BadTick(UNDECODABLE) where the value ends too early or says nonsense.
    """

    __slots__ = ("data", "pos")

    def __init__(self, data: bytes, pos: int = 0) -> None:
        self.data = data
        self.pos = pos

    def __repr__(self) -> str:
        return f"<Cursor at byte {self.pos} of {len(self.data)}>"

    def varint(self) -> int:
        """An int, long, index, length or count."""
        try:
            value, self.pos = read_varint(self.data, self.pos)
        except ValueError:
            raise undecodable() from None
        return value

    def index(self, size: int) -> int:
        """A varint in [0, size): a union branch or an enum symbol."""
        value = self.varint()
        if not 0 <= value < size:
            raise undecodable()
        return value

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        if not 0 <= size <= len(self.data) - self.pos:
            raise undecodable()
        self.pos += size
        return self.data[self.pos - size : self.pos]

    def sized(self) -> bytes:
        """A length varint and that many bytes: bytes or string."""
        return self.take(self.varint())

    def block(self) -> int:
        """The item count of the next block of an array or map; 0 ends it."""
        count = self.varint()
        if count < 0:
            self.varint()  # the block's size in bytes, for readers that jump over it
        return abs(count)

    def finish(self) -> None:
        """Insist that the value is used up."""
        if self.pos != len(self.data):
            raise undecodable()
