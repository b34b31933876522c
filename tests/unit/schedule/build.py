"""Schedules and times for the tests, in the words of people."""

from __future__ import annotations

from datetime import UTC, date, datetime

from barengine.model import NS_PER_S
from barengine.schedule import Market, Session, parse_market

HOUR = 3600 * NS_PER_S


def market(text: str, name: str = "M") -> Market:
    """The market of a YAML document."""
    return parse_market(name, text, f"{name}.yaml")


def at(text: str) -> int:
    """``2024-03-10 07:30`` in UTC, as ns since the epoch."""
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return int(moment.timestamp()) * NS_PER_S


def shown(session: Session | None) -> tuple[str, str, str] | None:
    """Trading date, open and close, in UTC."""
    if session is None:
        return None
    times = (
        datetime.fromtimestamp(time_ns // NS_PER_S, UTC)
        for time_ns in (session.open_ns, session.close_ns)
    )
    return (str(session.trading_date), *(f"{time:%Y-%m-%d %H:%M}" for time in times))  # type: ignore[return-value]


def on(text: str, day: str) -> tuple[str, str, str] | None:
    """The session of a trading date in the market of a document."""
    return shown(market(text).session_on(date.fromisoformat(day)))


STOCKS = """
zone: America/New_York
sessions: {mon-fri: {open: "09:30", close: "16:00"}}
"""
FX = """
zone: America/New_York
sessions: {mon-fri: {open: "-1d 17:00", close: "17:00"}}
"""
CRYPTO = """
zone: America/New_York
sessions: 24h
"""
NOON = """
zone: Asia/Tokyo
sessions: {mon-fri: {open: "09:00", close: "15:30", breaks: [{from: "11:30", to: "12:30"}]}}
"""
