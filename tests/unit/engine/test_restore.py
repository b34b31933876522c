"""From state records to an engine, in steps; that it is the right one test_crash_anywhere proves"""

from __future__ import annotations

import pytest

from barengine.codec.page import encode_page_key
from barengine.engine.restore import Record, Restore
from barengine.errors import UnreadableStateError
from barengine.kernel import Kernel, SeriesState, book_class
from tests.encoded import series_record
from tests.unit.engine.hours import Trading
from tests.unit.engine.sim import Rules

_UNREADABLE = b"\xff"


def loaded(kernel: type[Kernel], records: list[Record], step_records: int) -> tuple[int, int]:
    """How many steps it took to read, and to load into a kernel and a book."""
    rules = Rules(rollups="1m")
    config = rules.book_config()
    assert config is not None
    restore, steps = Restore(records, step_records), [0, 0]
    for step in restore.read():
        step()
        steps[0] += 1
    book = book_class(kernel)(config, Trading(rules.hours))
    for step in restore.load(kernel(rules.kernel_config(began_whole=True)), book):
        step()
        steps[1] += 1
    return steps[0], steps[1]


@pytest.mark.parametrize(
    ("step_records", "steps"), [(1, (21, 14)), (3, (7, 6)), (20, (2, 2)), (1000, (1, 2))]
)
def test_no_step_takes_more_than_it_may(
    kernel: type[Kernel], step_records: int, steps: tuple[int, int]
) -> None:
    """Reading takes in every record, loading the newest of each series twice: kernel and book."""
    records: list[Record] = [
        series_record(SeriesState("a", str(number), at, at))
        for at in range(3)
        for number in range(7)
    ]
    assert loaded(kernel, records, step_records) == steps


@pytest.mark.parametrize("key", [b"series|a|x", encode_page_key("a", "x")])
def test_what_a_tombstone_has_forgotten_is_not_read(kernel: type[Kernel], key: bytes) -> None:
    """Of series and pages the newest record counts, however far apart they were written."""
    others: list[Record] = [series_record(SeriesState("a", "y", at, at)) for at in range(9)]
    with pytest.raises(UnreadableStateError):
        loaded(kernel, [(key, _UNREADABLE), *others], 2)
    loaded(kernel, [(key, _UNREADABLE), *others, (key, None)], 2)
