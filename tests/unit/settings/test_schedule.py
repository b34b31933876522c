"""Where a schedule comes from, as one setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from barengine.model import OutOfSession
from barengine.settings import ScheduleFrom, ScheduleKind
from tests.unit.settings.loading import from_environ, problem


def test_without_one_there_are_no_sessions() -> None:
    """Nothing set: no schedule, and every tick is in."""
    settings = from_environ()
    assert settings.schedule is None
    assert settings.schedule_topic is None
    assert settings.out_of_session is OutOfSession.INCLUDE


@pytest.mark.parametrize("form", ["{}", "file:{}", " {} "])
def test_a_path_is_a_file(form: str, tmp_path: Path) -> None:
    """A bare path ends in .yaml or .yml; with file: it may be called anything."""
    path = tmp_path / "markets.yml"
    path.touch()
    source = from_environ(SCHEDULE=form.format(path)).schedule
    assert source is not None
    assert (source.kind, source.name) == (ScheduleKind.FILE, str(path))


def test_a_topic_is_one_of_the_context() -> None:
    """As every topic of the engine."""
    settings = from_environ(SCHEDULE="topic:markets", CONTEXT="dev")
    assert settings.schedule_topic == "dev.markets"


def test_exchanges_have_a_default_and_brokers() -> None:
    """One without a broker's name is the default; without it, other brokers have no sessions."""
    source = from_environ(SCHEDULE="exchange:XNYS, LSE = XLON,a=b=24/7").schedule
    assert source is not None
    assert (source.name, source.brokers) == ("XNYS", (("LSE", "XLON"), ("a=b", "24/7")))
    assert ScheduleFrom.parse("exchange:LSE=XLON").name == ""


def test_it_is_shown_as_it_was_written() -> None:
    """In the log line at start and under /status."""
    assert from_environ(SCHEDULE="topic:markets").public()["schedule"] == "topic:markets"


@pytest.mark.parametrize(
    "text",
    ["nyse", "http://x/y", "exchange:", "exchange:XNYS,", "exchange:=XLON", "exchange:X Y", ":a"],
)
def test_anything_else_is_refused_with_the_forms_that_there_are(text: str) -> None:
    """The way out shows each form."""
    said = problem(SCHEDULE=text)
    assert said.startswith(f"BARENGINE_SCHEDULE is {text!r}: write a path that ends in .yaml")
    assert "exchange:XNYS,BROKER=XLON" in said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nowhere.yaml", "cannot be read (No such file or directory); write the path of a file"),
        ("file:nowhere", "cannot be read (No such file or directory); write the path of a file"),
        ("topic:a b", "Kafka takes 1 to 249 letters, digits, '.', '_' and '-'"),
        ("exchange:XNYS,XLON", "the default has two exchanges; write one"),
        ("exchange:a=XNYS,a=XLON", "broker 'a' has two exchanges; write one"),
    ],
)
def test_what_is_wrong_with_a_form_is_named(text: str, why: str) -> None:
    """A file that is not there, a name that is none, two where one must be."""
    assert problem(SCHEDULE=text) == f"BARENGINE_SCHEDULE is {text!r}: {why}"


def test_the_topic_must_hold_nothing_else() -> None:
    """Ticks, bars or letters are no schedule."""
    for topic in ("ticks", "bar_1m", "tick_dead"):
        assert problem(SCHEDULE=f"topic:{topic}").endswith(
            f"{topic} holds something else; name a topic of its own"
        )


def test_without_a_schedule_no_tick_is_out_of_session() -> None:
    """Asking for a policy and giving no sessions contradict each other."""
    said = problem(OUT_OF_SESSION="dead")
    assert said == (
        "BARENGINE_OUT_OF_SESSION is 'dead' and BARENGINE_SCHEDULE is not set: without sessions no "
        "tick is outside; set SCHEDULE, or remove it"
    )
    both = from_environ(OUT_OF_SESSION="LATE", SCHEDULE="exchange:XNYS")
    assert both.out_of_session is OutOfSession.LATE
