"""When a market trades: sessions, breaks, holidays, short days and halts, in any time zone.

A :class:`Schedule` maps brokers to markets; a :class:`Market` gives sessions. All of it is plain
values and arithmetic: it reads no file, no clock and no topic. ``barengine.service`` brings the
text and watches for changes.

    schedule = parse_schedule(text, "markets.yaml")
    market = schedule.market_of("NYSE")          # None: trades around the clock, in UTC days
    session = market.session_at(time_ns)         # None: the market is closed
    session.trading_date, session.open_ns, session.close_ns, session.breaks

Times are int64 ns since the epoch; intervals are half-open. docs/schedule.md has the YAML.
"""

from barengine.schedule.alignment import check_alignment
from barengine.schedule.document import parse_brokers, parse_market, parse_schedule
from barengine.schedule.exchange import exchange_market, exchange_schedule
from barengine.schedule.market import Market
from barengine.schedule.schedule import Schedule
from barengine.schedule.session import Session, SessionArrays

__all__ = [
    "Market",
    "Schedule",
    "Session",
    "SessionArrays",
    "check_alignment",
    "exchange_market",
    "exchange_schedule",
    "parse_brokers",
    "parse_market",
    "parse_schedule",
]
