"""Live bars: the bar so far, outside of every transaction, and never in the way of finals."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Final

from confluent_kafka.admin import AdminClient

from tests.broker import faults
from tests.broker.engine_process import RUN, EngineProcess
from tests.broker.mend import ask
from tests.broker.scene import LONG_SESSION, Scene, decode_bar
from tests.broker.ticks import SECOND, START_MS, many, tick

LIVE: Final = {"LIVE": "100ms", "GROUP_INSTANCE_ID": "one"} | LONG_SESSION
MANY: Final = 200_000
SYMBOLS: Final = 7
NONE_SINCE: Final = "barengine_live_bars_total"


def given(scene: Scene) -> dict[str, list[tuple[int, int]]]:
    """By symbol, what each live bar said in the order of the topic: start (ms) and ticks."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for record in scene.records_of(scene.settings.live_topic):
        bar = decode_bar(record.value or b"")
        assert record.key == f"b|{bar['symbol']}".encode()
        assert not bar["final"]
        start_ms = int(bar["bucket_start"].timestamp() * 1000) - START_MS
        found[bar["symbol"]].append((start_ms, bar["tick_count"]))
    return found


def until_given(scene: Scene, engine: EngineProcess, **newest: tuple[int, int]) -> None:
    """Wait until these are the newest live bars."""

    def there() -> bool:
        found = given(scene)
        return all(found[symbol][-1:] == [told] for symbol, told in newest.items())

    engine.until(f"live bars {newest}", there)


def test_the_bar_so_far(bootstrap: str, tmp_path: Path) -> None:
    """A series' bar is given when it has changed, and only then; its final bar comes as ever."""
    scene = Scene(bootstrap, tmp_path, 1, LIVE)
    with scene.engine(IDLE_TIMEOUT="off") as engine:
        engine.until_ready()
        scene.produce([tick("b", "A", 0), tick("b", "A", 100), tick("b", "B", 200)])
        until_given(scene, engine, A=(0, 2), B=(0, 1))
        scene.produce([tick("b", "B", 300)])
        until_given(scene, engine, B=(0, 2))
        assert given(scene)["A"] == [(0, 2)]
        scene.produce([tick("b", "A", 1_100)])
        until_given(scene, engine, A=(SECOND, 1))
        there = sum(map(len, given(scene).values()))
        engine.until("the count of them", lambda: engine.metric(NONE_SINCE) == there)
        assert scene.finish_open(engine, bars=3).ok


def test_a_reader_never_goes_back(bootstrap: str, tmp_path: Path) -> None:
    """After a kill -9 the engine reads uncommitted ticks again, in pieces; what it gives then has
    no tick less than what was given before."""
    scene = Scene(bootstrap, tmp_path, 1, LIVE)
    newest = {f"S{number}": (0, MANY // SYMBOLS + (number < MANY % SYMBOLS)) for number in range(7)}
    with scene.engine(IDLE_TIMEOUT="off") as first:
        first.until_ready()
        scene.produce(many("b", MANY, SYMBOLS, SECOND - 100))
        until_given(scene, first, **newest)
        first.kill9()
    before = {symbol: len(told) for symbol, told in given(scene).items()}
    with scene.engine(faults.command("slow"), IDLE_TIMEOUT="off") as second:
        second.until(
            "live bars again",
            lambda: all(len(given(scene)[symbol]) > count for symbol, count in before.items()),
        )
        scene.produce([tick("b", "S0", 990)])
        until_given(scene, second, S0=(0, newest["S0"][1] + 1))
        second.kill9()

    for symbol, told in given(scene).items():
        assert told == sorted(told), symbol
        assert told[before[symbol]] == newest[symbol]


def test_trouble_with_live_bars_is_theirs_alone(bootstrap: str, tmp_path: Path) -> None:
    """While their topic is gone finals leave as ever; that is said once and counted, and when it
    is there again the newest bars are given, those that were lost included."""
    scene = Scene(bootstrap, tmp_path, 1, LIVE)
    topic = scene.settings.live_topic
    with scene.engine(RUN, IDLE_TIMEOUT="off") as engine:
        engine.until_ready()
        scene.produce([tick("b", "A", 0)])
        until_given(scene, engine, A=(0, 1))
        ask(scene, lambda admin: AdminClient.delete_topics(admin, [topic]))
        scene.produce([tick("b", "A", 100), tick("b", "B", 200)])
        engine.until("a failure", lambda: engine.metric("barengine_live_failures_total") >= 1)
        scene.produce([tick("b", "C", 2_500)])
        scene.until_bars(engine, 2)
        assert len(engine.events("live_bars_failing")) == 1
        assert engine.ready()
        scene.produce([tick("b", "D", 2_600)])
        scene.make_topic(topic)
        until_given(scene, engine, C=(2 * SECOND, 1), D=(2 * SECOND, 1))
        engine.until("word of it", lambda: len(engine.events("live_bars_go_on")) == 1)
        assert engine.events("recovering") == []
