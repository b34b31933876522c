"""A schedule: who trades where, and when two of them are the same."""

from __future__ import annotations

import pytest

from barengine.errors import ConfigurationError
from barengine.schedule import Schedule
from tests.unit.schedule.build import CRYPTO, STOCKS, market


def test_another_name_of_a_holiday_moves_no_session() -> None:
    """Equal documents are equal schedules; the fingerprint is about the hours alone."""
    old = STOCKS + "holidays: {2024-07-04: Independence Day}"
    new = STOCKS + "holidays: {2024-07-04: the fourth of July}"
    assert Schedule({"M": market(old)}) == Schedule({"M": market(old)})
    assert Schedule({"M": market(old)}) != Schedule({"M": market(new)})
    assert Schedule({"M": market(old)}).fingerprint == Schedule({"M": market(new)}).fingerprint


def test_brokers_have_their_market_the_default_or_none() -> None:
    """A broker without a market trades around the clock."""
    fx, stocks = market(CRYPTO, "FX"), market(STOCKS, "XNYS")
    schedule = Schedule({"FX": fx, "XNYS": stocks}, {"a": "XNYS"}, "FX")
    assert [schedule.market_of(broker) for broker in ("a", "b")] == [stocks, fx]
    assert Schedule({"FX": fx}, {"b": "FX"}).market_of("a") is None


def test_a_schedule_whose_brokers_moved_is_another_one() -> None:
    """The fingerprint covers who trades where, and not in which order it is written."""
    markets = {"A": market(CRYPTO, "A"), "B": market(STOCKS, "B")}
    first = Schedule(markets, {"x": "A", "y": "B"})
    assert first.fingerprint == Schedule(markets, {"y": "B", "x": "A"}).fingerprint
    assert first.fingerprint != Schedule(markets, {"x": "B", "y": "B"}).fingerprint
    assert first.fingerprint != Schedule(markets, {"x": "A", "y": "B"}, "A").fingerprint


def test_a_broker_of_a_market_that_is_not_there_is_refused() -> None:
    """The error names the broker, the market and those that there are."""
    with pytest.raises(ConfigurationError) as error:
        Schedule({"XNYS": market(STOCKS)}, {"a": "XNYZ"}, "XLON")
    assert [problem.split(":")[0] for problem in error.value.problems] == [
        "the market of broker 'a' is 'XNYZ', which the schedule does not have",
        "the market of the default is 'XLON', which the schedule does not have",
    ]
