"""Sessions on a real broker: days and hours that a schedule cuts, and that it may cut anew.

Event time is data: all of it happens around Monday, 16 June 2025. New York is UTC-4.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from tests.broker.engine_process import EngineProcess
from tests.broker.records import Record, make_topic, write
from tests.broker.scene import Bar, Scene, decode_bar
from tests.broker.ticks import START_MS, tick

RULES = {"ROLLUPS": "1h,1d", "IDLE_TIMEOUT": "off", "GROUP_INSTANCE_ID": "one"}
FUTURES = """
default: FUTURES
markets:
  FUTURES:
    zone: America/New_York
    sessions: {mon-fri: {open: "-1d 18:00", close: "17:00"}}
"""
HALF_DAY = FUTURES + "    short_days: {2025-06-17: '13:00'}\n"
STOCKS = "{zone: America/New_York, sessions: {mon-fri: {open: 09:30, close: '%s'}}}"


def ticks(*times: str, symbol: str = "A") -> list[Record]:
    """A tick at each time of June 2025, such as ``15 21:59:59``, UTC; prices count up."""
    moments = (datetime.strptime(f"2025-06-{one}Z", "%Y-%m-%d %H:%M:%S%z") for one in times)
    return [
        tick("b", symbol, int(moment.timestamp() * 1000) - START_MS, 1.0 + number)
        for number, moment in enumerate(moments)
    ]


def shown(bar: Bar) -> tuple[str, str, date | None, int]:
    """Start and end in UTC, trading date, ticks."""
    start, end = (bar[name].astimezone(UTC) for name in ("bucket_start", "bucket_end"))
    return f"{start:%d %H:%M}", f"{end:%d %H:%M}", bar["trading_date"], bar["tick_count"]


def until(
    scene: Scene, engine: EngineProcess, period: str, count: int
) -> list[tuple[str, str, date | None, int]]:
    """Wait for so many bars of a period."""
    [one] = [one for one in scene.settings.periods if one.name == period]
    topic = scene.settings.topic_of(one)
    seen: list[tuple[str, str, date | None, int]] = []

    def enough() -> bool:
        seen[:] = [shown(decode_bar(record.value or b"")) for record in scene.records_of(topic)]
        return len(seen) >= count

    engine.until(f"{count} bars of {period}", enough)
    return seen


def test_a_file_cuts_days_and_is_read_again(bootstrap: str, tmp_path: Path) -> None:
    """Day and last hour end at the close, with their trading date. A file that cannot work changes
    nothing; the next good one ends the open day and hour earlier, without a restart."""
    #   15  22:00 [-- Monday, 16 ------ 21:00 )  22:00 [-- Tuesday, 17 --- 17:00 )  21:00
    #                                                    a half day, known at 14:30
    file = tmp_path / "markets.yaml"
    file.write_text(FUTURES)
    scene = Scene(bootstrap, tmp_path, 1, RULES | {"SCHEDULE": str(file)})
    monday, tuesday = date(2025, 6, 16), date(2025, 6, 17)
    with scene.engine() as engine:
        engine.until_ready()
        scene.produce(ticks("15 21:59:59", "15 22:00:00", "16 20:59:59", "16 21:00:00"))
        assert until(scene, engine, "1d", 1) == [("15 22:00", "16 21:00", monday, 2)]
        first, last = until(scene, engine, "1h", 2)
        assert first == ("15 22:00", "15 23:00", monday, 1)
        assert last == ("16 20:00", "16 21:00", monday, 1)
        assert len(until(scene, engine, "1s", 3)) == 3, "ticks outside are in base bars"

        scene.produce(ticks("17 14:30:00", "17 16:59:59"))
        until(scene, engine, "1s", 5)
        file.write_text(FUTURES.replace("17:00", "25:00"))
        engine.until("a refusal", lambda: engine.events("schedule_refused"))
        assert not engine.events("schedule_applied")
        file.write_text(HALF_DAY)
        engine.until("the half day", lambda: engine.events("schedule_applied"))
        scene.produce(ticks("17 17:00:00"))
        assert until(scene, engine, "1d", 2)[1] == ("16 22:00", "17 17:00", tuesday, 2)
        assert until(scene, engine, "1h", 4)[3] == ("17 16:00", "17 17:00", tuesday, 1)
        assert engine.terminate() == 0, engine.tail()
    problems = engine.events("schedule_refused")[0]["problems"]
    assert "markets.yaml line 6" in problems[0]


def test_late_ones_outside(bootstrap: str, tmp_path: Path) -> None:
    """OUT_OF_SESSION=late: in tick_late with their reason, in no bar, and no clock follows them."""
    file = tmp_path / "markets.yaml"
    file.write_text(FUTURES)
    rules = {"SCHEDULE": str(file), "OUT_OF_SESSION": "late", "LATE_POLICY": "correct"}
    scene = Scene(bootstrap, tmp_path, 1, RULES | rules)
    with scene.engine() as engine:
        engine.until_ready()
        scene.produce(ticks("16 20:00:00", "16 21:30:00", "16 22:00:00", "16 22:00:01"))
        assert until(scene, engine, "1d", 1)[0][3] == 1
        engine.until("its letter", scene.late)
        assert [bar[0] for bar in until(scene, engine, "1s", 2)] == ["16 20:00", "16 22:00"]
        name = "barengine_late_ticks_total"
        engine.until("its count", lambda: engine.metric(name, reason="out_of_session") == 1)
    [letter] = scene.late()
    assert (letter.header("reason"), letter.header("source_offset")) == (b"out_of_session", b"1")
    assert letter.header("lateness_ms") == b"0"
    assert scene.dead() == []


def test_dead_ones_outside_and_a_topic(bootstrap: str, tmp_path: Path) -> None:
    """SCHEDULE=topic, OUT_OF_SESSION=dead: hours that come later take ticks from then on; those
    that were dead stay so, also for an engine that reads them again."""
    rules = {"SCHEDULE": "topic:markets", "OUT_OF_SESSION": "dead"}
    scene = Scene(bootstrap, tmp_path, 1, RULES | rules)
    topic = scene.settings.schedule_topic
    assert topic is not None
    make_topic(bootstrap, topic, 1, cleanup_policy="compact")
    default = Record(b"default: XNYS", b"_brokers")
    write(bootstrap, topic, [Record((STOCKS % "16:00").encode(), b"XNYS"), default])
    with scene.engine() as engine:
        engine.until_ready()
        # the first tick's hour stays open: a restart reads all three again
        scene.produce(ticks("16 19:59:59", "16 20:00:00"))
        engine.until("its letter", scene.dead)
        write(bootstrap, topic, [Record((STOCKS % "16:30").encode(), b"XNYS")])
        engine.until("the later close", lambda: engine.events("schedule_applied"))
        scene.produce(ticks("16 20:00:00"))
        engine.until("its base bar", lambda: engine.total("position") == 3)
        until(scene, engine, "1s", 1)
        engine.kill9()
    with scene.engine() as engine:
        engine.until_ready()
        scene.produce(ticks("17 13:30:00"))
        bars = until(scene, engine, "1d", 1)
        assert engine.terminate() == 0, engine.tail()
    assert bars == [("16 13:30", "16 20:30", date(2025, 6, 16), 2)]
    [letter] = scene.dead()
    assert (letter.header("reason"), letter.header("source_offset")) == (b"out_of_session", b"1")
