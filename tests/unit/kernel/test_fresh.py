"""Bytes written in place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from barengine.kernel import _fresh, _pure_fresh, written

Written = Callable[[int, Callable[[memoryview], int]], bytes]


def test_the_compiled_one_is_used() -> None:
    """Where the kernel is built, nothing is copied."""
    assert written is _fresh.written


@pytest.fixture(params=[_fresh.written, _pure_fresh.written], ids=["compiled", "pure"])
def write(request: pytest.FixtureRequest) -> Written:
    """Each of the twins."""
    chosen: Written = request.param
    return chosen


@pytest.mark.parametrize("most", [0, 1, 5, 100_000])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_what_was_written_comes_back(write: Written, most: int, share: float) -> None:
    """As much as the writer says, from the front, whatever room there was."""
    wanted = bytes(number % 251 for number in range(int(most * share)))

    def fill(view: memoryview) -> int:
        assert len(view) == most
        view[: len(wanted)] = wanted
        return len(wanted)

    assert write(most, fill) == wanted


@pytest.mark.parametrize("size", [-1, 6])
def test_more_than_there_was_room_for_is_an_error(write: Written, size: int) -> None:
    """The message tells both numbers."""
    with pytest.raises(ValueError, match=f"{size} of 5 bytes were written"):
        write(5, lambda view: size)


def test_an_error_of_the_writer_comes_through(write: Written) -> None:
    """Nothing is made of what it had written."""

    def fail(view: memoryview) -> int:
        view[0] = 1
        raise KeyError(len(view))

    with pytest.raises(KeyError):
        write(5, fail)
