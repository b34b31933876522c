"""What may be written, and what the error says where it may not: line, key, value, way out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from barengine.errors import ConfigurationError
from barengine.schedule import parse_brokers, parse_market, parse_schedule
from tests.unit.schedule.build import STOCKS, market, on

DOCS = Path(__file__).parents[3] / "docs" / "schedule.md"
EXAMPLES = sorted((Path(__file__).parents[3] / "config" / "schedules").glob("*.yaml"))


def problems(text: str) -> list[str]:
    """What is wrong with the document of a market."""
    with pytest.raises(ConfigurationError) as error:
        parse_market("M", text, "m.yaml")
    return list(error.value.problems)


def test_the_documentation_is_right() -> None:
    """What docs/schedule.md shows is a schedule, with everything that there is in it."""
    [text] = re.findall(r"```yaml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    shown = parse_schedule(text, "docs/schedule.md")
    assert shown.default == "XNYS"
    assert set(shown.markets) == {"XNYS", "LONDON", "TOKYO", "FX", "CRYPTO"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_right(path: Path) -> None:
    """What config/schedules shows can be read, and gives a market to every broker."""
    assert parse_schedule(path.read_text("utf-8"), str(path)).market_of("any") is not None


def test_json_is_yaml_too() -> None:
    """A document of a topic may be JSON."""
    hours = {"open": "09:30", "close": "16:00"}
    text = json.dumps({"zone": "America/New_York", "sessions": {"mon-fri": hours}})
    assert market(text) == market(STOCKS)


def test_a_list_may_be_empty() -> None:
    """A key with nothing behind it is as if it were not there."""
    empty = "holidays:\nshort_days:\nextra_sessions: {}\nhalts:\n"
    assert market(STOCKS + empty) == market(STOCKS)


def test_times_need_no_quotes() -> None:
    """YAML would take 16:00 for the number 960; a schedule takes it as it is written."""
    assert market(STOCKS.replace('"', "")) == market(STOCKS)


def test_weekdays_are_written_as_people_do() -> None:
    """One, several, a range over the weekend, or all; one that has no hours does not trade."""
    text = 'zone: UTC\nsessions: {"sun-tue,thu": {open: 9:00, close: 10:00}, fri: 24h}'
    week = [on(text, f"2024-01-{day:02}") is not None for day in range(1, 8)]
    assert week == [True, True, False, True, True, False, True]


def test_a_file_says_who_trades_where() -> None:
    """Markets, brokers and a default in one text."""
    text = """
default: FX
brokers: {NYSE: XNYS}
markets:
  XNYS: {zone: America/New_York, sessions: {mon-fri: {open: 09:30, close: 16:00}}}
  FX: {zone: America/New_York, sessions: {mon-fri: {open: -1d 17:00, close: 17:00}}}
"""
    schedule = parse_schedule(text, "x.yaml")
    names = [found.name for b in ("NYSE", "x") if (found := schedule.market_of(b)) is not None]
    assert names == ["XNYS", "FX"]
    assert parse_brokers("brokers: {NYSE: XNYS}\ndefault: FX", "x") == ({"NYSE": "XNYS"}, "FX")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "zone: America/New_York",
            "zone: America/New_Yrk",
            "m.yaml line 2: `zone` is 'America/New_Yrk': write a time zone of the IANA list, such "
            "as America/New_York; did you mean America/New_York?",
        ),
        (
            "zone: America/New_York",
            "",
            "m.yaml line 3: the document is a group of keys: zone must be",
        ),
        ("zone: America/New_York", "zone: []", "m.yaml line 2: `zone` is a list: write a time"),
        ("zone: America/New_York", "zone: America", "`zone` is 'America': write a time zone"),
        ("sessions:", "sesions:", "m.yaml line 3: `sesions` is not a key; did you mean sessions?"),
        ("mon-fri", "mon-fir", "`sessions.mon-fir` is 'mon-fir': weekdays are mon tue wed"),
        ("mon-fri", '"mon,mon"', "a day of it has hours already; name each day once"),
        ('"09:30"', "9h30", "`sessions.mon-fri.open` is '9h30': write a local time from 00:00"),
        ('"09:30"', "24:01", "is '24:01': write a local time from 00:00 to 24:00"),
        ('"09:30"', "09:61", "is '09:61': write a local time"),
        ('"09:30"', "[9, 30]", "`sessions.mon-fri.open` is a list: write a local time"),
        ('"09:30"', '"18:00"', "`sessions.mon-fri` is a group of keys: it must open before it cl"),
        ('"09:30"', '"-1d 09:30"', "the session of Tue 2000-12-26 opens before that of Mon 2000-"),
        ('close: "16:00"', "", "`sessions.mon-fri` is a group of keys: close must be among its"),
        ('close: "16:00"', 'close: "+1d 16:00"', "opens before that of Mon 2000-12-25 has closed"),
        ('open: "09:30"', "opens: 1", "`sessions.mon-fri.opens` is not a key; did you mean open?"),
        ("{mon-fri", "[mon-fri", "m.yaml line 3 is not YAML (did not find expected"),
        ("mon-fri:", "mon-fri: 12, tue:", "`sessions.mon-fri` is '12': write {open: "),
        ("{mon-fri", "{mon: 24h, mon: 24h, tue", "line 3: `sessions.mon` is 'mon': it is there tw"),
    ],
)
def test_what_is_wrong_with_hours_is_named(old: str, new: str, problem: str) -> None:
    """Line, key, value, and what to write."""
    assert any(problem in each for each in problems(STOCKS.replace(old, new)))


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            "holidays: {2024-02-30: x}",
            "`holidays.2024-02-30` is '2024-02-30': there is no such day",
        ),
        ("holidays: {20240704: x}", "write a date from 1800 to 2200 as year-month-day"),
        ("holidays: {2024-07-04: [x]}", "`holidays.2024-07-04` is a list: write the holiday's nam"),
        ("holidays: [2024-07-04]", "line 4: `holidays` is a list: write dates under it"),
        (
            "holidays: {2024-07-03: x}\nshort_days: {2024-07-03: 13:00}",
            "line 5: `short_days.2024-07-03` is '2024-07-03': it is a holiday too (line 4)",
        ),
        ("short_days: {2024-07-06: 13:00}", "that day has no session to shorten; write it under e"),
        ("short_days: {2024-07-03: 09:00}", "is '09:00': it must open before it closes"),
        ("short_days: {2024-07-03: {name: []}}", "`short_days.2024-07-03.name` is a list: write "),
        (
            "short_days: {2024-07-03: {at: 1}}",
            "`short_days.2024-07-03.at` is not a key; there are ",
        ),
        ("short_days: {2024-07-03: {close: +1d 10:00}}", "session of Thu 2024-07-04 opens before "),
        ("extra_sessions: {2024-07-03: {open: 1:00, close: 2:00}}", "write it under short_days"),
        ("extra_sessions: {2024-07-06: 13:00}", "`extra_sessions.2024-07-06` is '13:00': write {o"),
        ("extra_sessions: {2024-07-06: {open: 13:00}}", "close must be among its keys"),
        ("halts: {from: x}", "line 4: `halts` is a group of keys: write a list of {from:, to:}"),
        ("halts: [{from: 2024-07-03}]", "`halts[0]` is a group of keys: to must be among its keys"),
        ("halts: [{from: 2024-07-03, to: x}]", "`halts[0].from` is '2024-07-03': write a local ti"),
        (
            "halts: [{from: 2024-07-03 10:00, to: 2024-07-03 09:00}]",
            "`halts[0]` is a group of keys: it must begin before it ends",
        ),
        ("rules: []", "line 2: the document is a group of keys: write either sessions"),
    ],
)
def test_what_is_wrong_with_days_and_halts_is_named(more: str, problem: str) -> None:
    """The line is that of the key itself, deep in a long list."""
    assert any(problem in each for each in problems(STOCKS + more))


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ("[]", "`rules` is a list: write a rule at least"),
        ("24h", "`rules` is '24h': write a list of {from:, sessions:}"),
        ("[{from: 2024-01-01}]", "`rules[0]` is a group of keys: sessions must be among its keys"),
        ("[{sessions: 24h}, {sessions: 24h}]", "there is a rule without from already"),
        (
            "[{from: 2024-01-01, sessions: 24h}, {from: 2024-01-01, sessions: 24h}]",
            "`rules[1]` is a group of keys: there is a rule from 2024-01-01 already",
        ),
        (
            "[{sessions: {mon: {open: 9:00, close: +1d 9:00}}}, {from: 2024-01-02, sessions: 24h}]",
            "`rules[1]` is a group of keys: the session of Tue 2024-01-02 opens before that of Mon",
        ),
    ],
)
def test_what_is_wrong_with_rules_is_named(rules: str, problem: str) -> None:
    """Also where two rules, right by themselves, make sessions that overlap."""
    assert any(problem in each for each in problems(f"zone: UTC\nrules: {rules}"))


@pytest.mark.parametrize(
    "breaks",
    [
        "[{from: 09:30, to: 10:00}]",
        "[{from: 15:00, to: 16:00}]",
        "[{from: 12:00, to: 11:00}]",
        "[{from: 11:00, to: 12:00}, {from: 12:00, to: 13:00}]",
    ],
)
def test_breaks_lie_inside_and_apart(breaks: str) -> None:
    """A break at the session's edge, backwards, or against another one, is refused."""
    hours = f"{{open: 09:30, close: 16:00, breaks: {breaks}}}"
    [problem] = problems(f"zone: UTC\nsessions: {{mon: {hours}}}")
    assert "breaks lie in order, apart, and inside the session" in problem


def test_every_problem_is_told_at_once() -> None:
    """Over all markets, with the brokers that name none."""
    text = """
brokers: {a: X, b: Z}
default: {}
what: 1
markets:
  X: {zone: 1, sessions: 24h}
  "Y Y": {zone: UTC, sessions: 24h}
  _brokers: {zone: UTC, sessions: 24h}
"""
    with pytest.raises(ConfigurationError) as error:
        parse_schedule(text, "x.yaml")
    found = list(error.value.problems)
    assert [problem.split(":")[0] for problem in found] == [
        "x.yaml line 4",
        "x.yaml line 6",
        "x.yaml line 7",
        "x.yaml line 8",
        "x.yaml line 2",
        "x.yaml line 3",
    ]
    assert "no such market; there are X, Y Y, _brokers" in found[4]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "x.yaml is empty, or nested too deeply: write a schedule"),
        ("- a", "x.yaml line 1: the document is a list: write the keys markets, brokers, default"),
        ("a: b: c", "x.yaml line 1 is not YAML (mapping values are not allowed in this context)"),
        ("a: \x00", "x.yaml is not YAML (characters that YAML does not allow)"),
        ("markets: {[a]: b}", "x.yaml line 1: `markets` is a list: a key is one word"),
        (
            "brokers: {}",
            "x.yaml line 1: the document is a group of keys: markets must be among its",
        ),
        ("[" * 100_000, "x.yaml is empty, or nested too deeply"),
    ],
)
def test_what_is_no_schedule_at_all_is_named(text: str, problem: str) -> None:
    """Whatever the bytes are, the error says what is expected."""
    with pytest.raises(ConfigurationError) as error:
        parse_schedule(text, "x.yaml")
    assert problem in error.value.problems[0]
