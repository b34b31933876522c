"""Bytes written in place."""

from __future__ import annotations

import gc
import sys
from random import Random
from typing import Any

import pytest

from barengine.kernel import Fresh, _fresh, _pure_fresh


def test_the_compiled_one_is_used() -> None:
    """Where the kernel is built, nothing is copied."""
    assert Fresh is _fresh.Fresh
    assert Fresh is not _pure_fresh.Fresh


@pytest.fixture(params=[_fresh.Fresh, _pure_fresh.Fresh], ids=["compiled", "pure"])
def fresh(request: pytest.FixtureRequest) -> type[Fresh]:
    """Each of the twins."""
    chosen: type[Fresh] = request.param
    return chosen


@pytest.mark.parametrize("most", [0, 1, 5, 100_000])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_what_was_written_comes_back(fresh: type[Fresh], most: int, share: float) -> None:
    """As much as is taken, from the front, whatever room there was."""
    wanted = bytes(number % 251 for number in range(int(most * share)))
    room = fresh(most)
    with room.view() as view:
        assert len(view) == most
        view[: len(wanted)] = wanted
    taken = room.taken(len(wanted))
    assert type(taken) is bytes
    assert taken == wanted
    assert hash(taken) == hash(bytes(bytearray(wanted)))


@pytest.mark.parametrize("size", [-1, 6])
def test_more_than_there_was_room_for_is_an_error(fresh: type[Fresh], size: int) -> None:
    """The message tells both numbers, and what there is can still be taken."""
    room = fresh(5)
    room.view()[:] = b"these"
    with pytest.raises(ValueError, match=f"{size} of 5 bytes were written"):
        room.taken(size)
    assert room.taken(5) == b"these"


@pytest.mark.parametrize("most", [0, 5])
def test_nothing_is_taken_while_it_can_be_written(fresh: type[Fresh], most: int) -> None:
    """Neither while a view is left nor while a part of one is, even of a view that was released."""
    room = fresh(most)
    view = room.view()
    part, other = view[:2], room.view()
    view.release()
    other.release()
    with pytest.raises(BufferError):
        room.taken(most)
    part.release()
    assert len(room.taken(most)) == most


@pytest.mark.parametrize("most", [0, 5])
def test_what_was_taken_cannot_be_written(fresh: type[Fresh], most: int) -> None:
    """Whoever comes too late gets an error, not memory that is no longer his."""
    room = fresh(most)
    view = room.view()
    view.release()
    room.taken(most)
    with pytest.raises(ValueError, match="released"):
        view[:0] = b""
    with pytest.raises(BufferError, match="were taken"):
        room.view()
    with pytest.raises(BufferError, match="were taken"):
        room.taken(0)


def test_a_view_outlives_who_made_it(fresh: type[Fresh]) -> None:
    """The memory is there as long as somebody can reach it, and no longer."""
    view = fresh(1_000_000).view()[500_000:]
    gc.collect()
    fill = Random(1).randbytes(500_000)
    view[:] = fill
    other = fresh(1_000_000).view()
    other[:] = bytes(1_000_000)
    assert view == fill


def test_a_view_is_one_of_plain_bytes() -> None:
    """What C code asks of a buffer, whether it asks for all of it or for no more than its bytes."""
    room = _fresh.Fresh(6)
    view = room.view()
    assert (view.format, view.itemsize, view.shape, view.strides) == ("B", 1, (6,), (1,))
    assert (view.readonly, view.c_contiguous, view.nbytes) == (False, True, 6)
    view[:] = b"plain!"
    view.release()
    plain: Any = room  # the twin is no buffer: in Python that needs 3.12
    assert b"".join([plain, plain]) == b"plain!plain!"
    assert room.taken(6) == b"plain!"


def test_nothing_is_kept() -> None:
    """Neither bytes that were taken nor such as never were belong to anything afterwards."""
    blocks, nones = sys.getallocatedblocks(), sys.getrefcount(None)
    for _ in range(1000):
        one = _fresh.Fresh(100)
        one.view()[:1] = b"x"
        one.taken(50)
        _fresh.Fresh(100).view()
    assert sys.getallocatedblocks() - blocks < 100
    assert sys.getrefcount(None) - nones < 100
