"""Roll-ups, continuous bars and corrections through a real broker: every bar of every period is
what the ticks make of it, computed by a program that shares nothing with the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from barengine.demo.report import Report
from barengine.engine.turns import MOST_FILLS
from tests.broker.mend import first_run, refused, state
from tests.broker.records import Record, end_offsets
from tests.broker.registered import Registered, registered_scene, schema_id
from tests.broker.scene import LONG_SESSION, Scene, decode_bar
from tests.broker.ticks import SECOND, START_MS, spread, tick

LADDER: Final = {
    "ROLLUPS": "5s,1m",
    "CONTINUOUS": "1s,5s",
    "LATE_POLICY": "correct",
}
STATIC: Final = {"GROUP_INSTANCE_ID": "one"}
"""The group gives a killed member's partitions to its next life at once."""
PARTITION: Final = b"partition"
SYMBOLS: Final = 6


def late(symbol: str, at_ms: int, price: float) -> Record:
    """A late tick of a series of :func:`morning`."""
    return tick("b", symbol, at_ms, price, int(symbol[1:]) % 2)


def morning(first_ms: int, last_ms: int) -> list[Record]:
    """Six series in two partitions; S4 and S5 are silent for seconds at a time."""
    ticks = spread("b", SYMBOLS, first_ms, last_ms, SECOND // 4, partitions=2)
    quiet = {4: 5, 5: 7}
    return [
        one
        for one in ticks
        if (series := int((one.key or b"")[-1:])) not in quiet
        or (one.time_ms - START_MS) // SECOND % quiet[series] == 0
    ]


def read_all(scene: Scene) -> int:
    return sum(end_offsets(scene.bootstrap, scene.settings.input_topic).values())


def corrected(report: Report) -> dict[str, int]:
    return {name: count.corrections for name, count in report.periods.items()}


def test_every_bar_of_every_period_is_exact(bootstrap: str, tmp_path: Path) -> None:
    """With ticks that are late before and after a kill -9, for bars of the life before too, each
    period's newest bars are those of all ticks, none missing, doubled or different."""
    scene = Scene(bootstrap, tmp_path, 2, LADDER | STATIC)
    scene.produce(morning(0, 20 * SECOND))
    scene.produce([late("S0", 3_100, 9.0), late("S4", 6_300, 8.0), late("S4", 7_900, 7.0)])
    with scene.engine(IDLE_TIMEOUT="off") as first:
        first.until("all read", lambda: first.total("position") == read_all(scene))
        first.until(
            "corrections", lambda: first.metric("barengine_corrections_total", period="1s") >= 3
        )
        scene.produce(morning(20 * SECOND, 23 * SECOND))
        first.kill9()
    scene.produce([late("S5", 8_500, 0.5), late("S4", 7_950, 6.5), late("S1", 21_100, 4.0)])
    scene.produce(morning(23 * SECOND, 61 * SECOND))
    with scene.engine() as second:
        report = scene.finish(second)
        text = second.text()

    assert "recovering" not in text
    assert report.corrected == 6
    assert list(report.periods) == ["1s", "5s", "1m"]
    assert report.periods["1m"].finals == SYMBOLS
    assert report.periods["1s"].filled > 50
    assert min(corrected(report).values()) > 0
    assert state(scene, "show").count("  3 pages of series: ") == 2


def test_every_series_by_its_own_clock(bootstrap: str, tmp_path: Path) -> None:
    """WATERMARK=series: history that comes symbol by symbol makes the same bars of every period."""
    scene = Scene(bootstrap, tmp_path, 1, LADDER | {"WATERMARK": "series"})
    by_symbol = sorted(
        [*spread("b", 4, 0, 70 * SECOND, SECOND // 2), tick("b", "S2", 70 * SECOND, 1.0)],
        key=lambda one: one.key or b"",
    )
    by_symbol = [one for one in by_symbol if (one.time_ms - START_MS) // SECOND % 9 != 4]
    scene.produce([*by_symbol, tick("b", "S0", 4_500, 9.0), tick("b", "S3", 64_000, 9.0)])

    with scene.engine() as engine:
        report = scene.finish(engine)

    assert report.corrected == 2
    assert report.periods["1m"].finals == 4
    assert report.periods["1s"].filled >= 4 * 7


def test_silence_closes_a_roll_up_and_then_costs_nothing(bootstrap: str, tmp_path: Path) -> None:
    """A roll-up leaves when silence closes it, long after its last base bar; where nothing is
    open nothing is written, however long the silence lasts."""
    scene = Scene(bootstrap, tmp_path, 1, {"ROLLUPS": "5s"} | LONG_SESSION)
    with scene.engine() as engine:
        engine.until_ready()
        scene.produce([tick("b", "A", 100)])
        emitted = "barengine_bars_emitted_total"  # and its transaction is counted
        engine.until("its 5s bar", lambda: engine.metric(emitted, period="5s") == 1)
        done = engine.metric("barengine_transactions_total")
        reached = engine.tasks()[0]["brokers"]["b"]["closed_through_ms"]
        engine.until(
            "three more seconds",
            lambda: engine.tasks()[0]["brokers"]["b"]["closed_through_ms"] >= reached + 3 * SECOND,
        )

        assert engine.metric("barengine_transactions_total") == done
        assert scene.finish(engine).bars_exact == 2


def test_a_long_gap_is_filled_in_several_transactions(bootstrap: str, tmp_path: Path) -> None:
    """What one tick behind hours of silence sets off does not become one huge transaction; the
    ticks behind it wait until all of it has left, and then come into their bars."""
    scene = Scene(bootstrap, tmp_path, 1, {"CONTINUOUS": "1s"})
    series, gap_s = 10, 9_000
    before = spread("b", series, 0, SECOND, SECOND // 2)
    after = spread("b", series, gap_s * SECOND, (gap_s + 2) * SECOND, SECOND // 2)
    scene.produce([*before, *after])
    with scene.engine() as engine:
        report = scene.finish(engine)

    assert report.periods["1s"].filled >= series * (gap_s - 1)
    commits = [one for one in scene.records_of(scene.settings.state_topic) if one.key == PARTITION]
    assert len(commits) > series * gap_s // MOST_FILLS


def test_each_bar_topic_has_its_own_subject(
    bootstrap: str, tmp_path: Path, registry_url: str
) -> None:
    """With a registry, values of every bar topic carry the id of that topic's subject; the text
    keys of live bars have none."""
    wanted = LADDER | {"LIVE": "100ms", "KEY_FORMAT": "avro"}
    scene = registered_scene(bootstrap, tmp_path, registry_url, **wanted)
    topics = scene.settings.bar_topics
    with Registered(scene, registry_url) as market, scene.engine(IDLE_TIMEOUT="off") as engine:
        engine.until_ready()
        scene.produce([market.tick(at_ms, 1.0) for at_ms in (0, 700, 1_500)])
        engine.until("a live bar", lambda: bool(scene.records_of(scene.settings.live_topic)))
        scene.produce([market.tick(at_ms, 2.0) for at_ms in (300, 61_000, 1_900)])
        engine.until("bars in each", lambda: all(map(scene.records_of, topics)))
        latest = market.client.get_latest_version
        ids = {topic: latest(f"{topic}-value").schema_id for topic in topics}
        subjects = market.client.get_subjects()

    for topic in topics:
        for record in scene.records_of(topic):
            assert schema_id(record.value) == ids[topic]
            is_live = topic == scene.settings.live_topic
            assert decode_bar((record.value or b"")[5:])["final"] is not is_live
            assert (record.key == b"b|A") is is_live
    keys = {name for name in subjects if scene.context in name and name.endswith("-key")}
    assert keys == {f"{topic}-key" for topic in topics if topic != scene.settings.live_topic}


def test_a_reset_forgets_the_book_too(bootstrap: str, tmp_path: Path) -> None:
    """Nothing of the roll-ups is left, and the same bars of every period are made again."""
    scene = Scene(bootstrap, tmp_path, 1, LADDER)
    first_run(scene)
    before = scene.state()
    assert (len(before.pages), len(before.books)) == (1, 1)

    state(scene, "reset", "--yes")

    emptied = scene.state()
    assert (emptied.pages, emptied.books, emptied.brokers) == ({}, {}, {})
    scene.produce([tick("b", "A", 61_000)])
    with scene.engine(IDLE_TIMEOUT="off") as engine:
        minutes = scene.settings.topic_of(scene.settings.periods[2])
        engine.until("the minute's bar", lambda: bool(scene.records_of(minutes)))
    [bar] = [decode_bar(record.value or b"") for record in scene.records_of(minutes)]
    assert (bar["tick_count"], bar["partial"]) == (2, False)


def test_a_roll_up_outlives_another_window(bootstrap: str, tmp_path: Path) -> None:
    """After `state adopt` a roll-up that was open goes on: it has the ticks of the bars of the old
    window and those of the new one, and says that it may lack some."""
    scene = Scene(bootstrap, tmp_path, 1, {"ROLLUPS": "10s", "IDLE_TIMEOUT": "off"})
    first_run(scene)
    assert "adopt" in refused(scene.engine(WINDOW="2s"))

    state(scene, "adopt", "--yes", WINDOW="2s")

    scene.produce([tick("b", "A", at_ms) for at_ms in (2_500, 4_100, 12_000)])
    with scene.engine(WINDOW="2s") as engine:
        rollups = scene.settings.topic_of(scene.settings.periods[1])
        engine.until("the 10s bar", lambda: bool(scene.records_of(rollups)))
    [bar] = [decode_bar(record.value or b"") for record in scene.records_of(rollups)]
    assert (bar["tick_count"], bar["first_offset"], bar["last_offset"]) == (4, 0, 3)
    assert bar["partial"]
