"""How much one transaction may carry, after those that were and were not done in time."""

from __future__ import annotations

from barengine.service.allowance import LEAST, MOST, Allowance


def test_it_begins_with_the_most() -> None:
    """A task that has seen nothing yet takes the line for a fast one."""
    assert Allowance().size == MOST
    assert Allowance().may_store


def test_what_timed_out_is_halved_down_to_the_least() -> None:
    """Half of what was carried, which may be far less than what was allowed."""
    allowance = Allowance()
    allowance.timed_out(MOST)
    assert allowance.size == MOST // 2
    assert not allowance.may_store
    allowance.timed_out(1_000_000)
    assert allowance.size == 500_000
    for _ in range(9):
        allowance.timed_out(MOST)
    assert allowance.size == LEAST


def test_it_doubles_only_where_twice_as_much_is_done_in_time() -> None:
    """A transaction that took half of its time has found the size that fits the line."""
    allowance = Allowance()
    allowance.timed_out(MOST)
    allowance.timed_out(MOST)
    allowance.committed(0.5)
    assert allowance.size == MOST // 4
    allowance.committed(0.2)
    assert allowance.size == MOST // 2
    for _ in range(9):
        allowance.committed(0.01)
    assert allowance.size == MOST


def test_the_least_still_makes_some_bars() -> None:
    """However slow the line, a slice of input is more than a record."""
    allowance = Allowance()
    assert allowance.records > 40_000
    for _ in range(9):
        allowance.timed_out(0)
    assert allowance.records > 300


def test_windows_that_timed_out_wait_for_longer_each_time() -> None:
    """Bars alone go on at the most; windows are not tried again at once, and later less often."""
    allowance = Allowance()
    for wanted in (64, 128, 256):
        allowance.timed_out(MOST, stored=True)
        waited = 0
        while not allowance.may_store:
            allowance.committed(0.01)
            waited += 1
        assert waited == wanted


def test_bars_that_timed_out_do_not_hold_windows_back_for_longer() -> None:
    """Only until the line takes the most again."""
    allowance = Allowance()
    allowance.timed_out(MOST)
    allowance.committed(0.01)
    assert allowance.may_store
