"""Which broker trades on which market."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from barengine.errors import ConfigurationError
from barengine.schedule.market import Market


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
