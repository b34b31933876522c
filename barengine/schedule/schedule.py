"""Which broker trades on which market, and what a new version of that changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from barengine.errors import ConfigurationError
from barengine.schedule.changes import changed_ranges
from barengine.schedule.market import Market


@dataclass(frozen=True, slots=True)
class Change:
    """A stretch [from_ns, to_ns) in which a market's sessions or halts are not what they were.

    INT64_MIN and INT64_MAX stand for no bound.
    """

    market: str
    from_ns: int
    to_ns: int


@dataclass(frozen=True)
class Schedule:
    """Markets by name, and the market of each broker.

    Args:
        markets: name -> market.
        brokers: broker -> name of its market.
        default: name of the market of every other broker; None: they have none.

    Raises:
        ConfigurationError: a broker's market, or the default, is not one of the markets.
    """

    markets: Mapping[str, Market] = field(default_factory=dict)
    brokers: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None

    def __post_init__(self) -> None:
        named = [(f"broker {broker!r}", market) for broker, market in self.brokers.items()]
        named += [] if self.default is None else [("the default", self.default)]
        problems = [
            f"the market of {whose} is {market!r}, which the schedule does not have: "
            f"write one of {', '.join(sorted(self.markets)) or 'its markets, once there are some'}"
            for whose, market in named
            if market not in self.markets
        ]
        if problems:
            raise ConfigurationError(*problems)

    def market_of(self, broker: str) -> Market | None:
        """The market of a broker; None: it has no sessions and trades around the clock, UTC."""
        name = self.brokers.get(broker, self.default)
        return None if name is None else self.markets[name]

    @property
    def fingerprint(self) -> str:
        """Equal for two schedules by which every broker has the same sessions and halts."""
        markets = sorted((name, market.fingerprint) for name, market in self.markets.items())
        text = repr((markets, sorted(self.brokers.items()), self.default))
        return sha256(text.encode()).hexdigest()

    @staticmethod
    def changes(old: Schedule, new: Schedule) -> list[Change]:
        """What is different in ``new``, by market and time; ranges of a market are disjoint.

        A market that only one of them has is different for all time. Brokers that moved to
        another market are not told here: compare ``market_of`` of both.
        """
        return list(_changes(old, new))


def _changes(old: Schedule, new: Schedule) -> Iterator[Change]:
    for name in sorted(old.markets.keys() | new.markets.keys()):
        before, after = old.markets.get(name), new.markets.get(name)
        for from_ns, to_ns in changed_ranges(before, after):
            yield Change(name, from_ns, to_ns)
