"""What a bar is, on a real broker: one engine for all, each test with brokers of its own.

Clocks are per broker, so tests that share the engine do not disturb each other. Windows last one
second; times below are seconds of event time.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from confluent_kafka import Producer

from barengine.kafka.local import LocalKafka
from barengine.naming import split
from tests.broker.engine_process import EngineProcess
from tests.broker.records import CALL_S, QUIET, produce
from tests.broker.scene import LONG_SESSION, Bar, Scene
from tests.broker.ticks import SECOND, START_MS, spread, tick

QUIET_PARTITION = 3  # never written to
LATER = 100 * SECOND  # more than silence can close between two deliveries
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


@pytest.fixture(scope="module")
def scene(kafka_broker: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Four partitions and half a second of grace."""
    folder = tmp_path_factory.mktemp("golden")
    return Scene(kafka_broker.bootstrap, folder, 4, {"GRACE": "500ms"} | LONG_SESSION)


@pytest.fixture(scope="module")
def engine(scene: Scene) -> Iterator[EngineProcess]:
    """One engine at work; at the end everything that any test has sent is accounted for."""
    with scene.engine() as engine:
        yield engine.until_ready()
        scene.until_idle(engine)
        assert engine.terminate() == 0, engine.tail()
        scene.verify(late=None, dead=None)


def starts(bars: list[Bar], symbol: str) -> list[float]:
    """Bucket starts of a symbol's bars, in seconds."""
    return [
        (bar["bucket_start"].timestamp() * SECOND - START_MS) / SECOND
        for bar in bars
        if bar["symbol"] == symbol
    ]


def test_silent_market_closes_by_itself(scene: Scene, engine: EngineProcess) -> None:
    """The last window of a market closes without another tick and without a heartbeat."""
    scene.produce([tick("alone", "A", 0, 1.25), tick("alone", "A", 900, 1.5)])

    [bar] = scene.until_bars(engine, 1, "alone")

    assert (bar["open"], bar["close"]) == (Decimal("1.25"), Decimal("1.5"))
    assert (bar["tick_count"], bar["final"], bar["partial"]) == (2, True, False)


def test_silent_symbol_closes_with_its_market(scene: Scene, engine: EngineProcess) -> None:
    """A symbol without another tick closes when its market's clock passes its end and grace."""
    #   QUIET  |x        |
    #   LOUD   |x        |    x      second 1.5 = end of the first bucket + grace
    quiet, loud = tick("common", "QUIET", 100), tick("common", "LOUD", 200)
    scene.produce([quiet, loud, tick("common", "LOUD", 1500)])

    bars = scene.until_bars(engine, 2, "common")

    assert starts(bars, "QUIET") == [0]
    assert starts(bars, "LOUD")[0] == 0


def test_silent_broker_beside_a_busy_one(scene: Scene, engine: EngineProcess) -> None:
    """A broker's silence is its own: it closes while another one in its partition never rests."""
    scene.produce([tick("gone home", "A", 0)])
    seconds = iter(range(10_000))

    def closed_beside_work() -> bool:
        scene.produce([tick("never rests", "A", next(seconds) * SECOND)])
        return bool(scene.bars("gone home"))

    engine.until("the silent broker's bar", closed_beside_work)

    assert starts(scene.bars("gone home"), "A") == [0]
    busy = starts(scene.bars("never rests"), "A")
    assert busy == [float(number) for number in range(len(busy))]


@pytest.mark.parametrize(
    ("broker", "symbol"),
    [("a|b", "c"), ("a", "b|c"), ("back\\", "|slash"), ("börse", "ドル円|€\\"), (" ", "\n\x00")],
    ids=["bar in broker", "bar in symbol", "backslash", "non-ascii", "white"],
)
def test_key_of_any_name(scene: Scene, engine: EngineProcess, broker: str, symbol: str) -> None:
    """Every name makes a key that splits into broker, symbol and bucket start again."""
    scene.produce([tick(broker, symbol, 0), tick(broker, "later", 9 * SECOND)])
    scene.until_bars(engine, 1, broker)

    keys = [split((record.key or b"").decode()) for record in scene.bar_records()]

    assert keys.count([broker, symbol, str(START_MS)]) == 1


def test_aborted_ticks_are_in_no_bar(scene: Scene, engine: EngineProcess) -> None:
    """Ticks of a transaction that was aborted never were; those around it count."""
    producer = Producer(
        {"bootstrap.servers": scene.bootstrap, "transactional.id": f"{scene.context}-feed", **QUIET}
    )
    producer.init_transactions(CALL_S)
    for at, price, commits in ((0, 1.0, True), (LATER, 99.0, False), (LATER, 2.0, True)):
        producer.begin_transaction()
        produce(producer, scene.settings.input_topic, tick("ledger", "A", at, price))
        producer.flush(CALL_S)  # an abort drops what was not sent
        producer.commit_transaction(CALL_S) if commits else producer.abort_transaction(CALL_S)

    bars = scene.until_bars(engine, 2, "ledger")

    found = [(bar["tick_count"], bar["high"], bar["close"]) for bar in bars]
    assert found == [(1, 1, 1), (1, 2, 2)]


@pytest.mark.parametrize("codec", CODECS)
def test_input_codecs(scene: Scene, engine: EngineProcess, codec: str) -> None:
    """Ticks are read in whatever codec they come."""
    scene.produce(spread(codec, 20, 0, 2 * SECOND, 100), codec)

    bars = scene.until_bars(engine, 40, codec)

    assert sum(bar["tick_count"] for bar in bars) == 400


def test_order_of_arrival_does_not_matter(scene: Scene, engine: EngineProcess) -> None:
    """Open and close are of the first and last event time, in whatever order ticks arrive."""
    #   arrival  1   2   3   4
    #   event   .5  .1  .9  .4
    times_and_prices = [(500, 5.0), (100, 1.0), (900, 9.0), (400, 4.0)]
    scene.produce([tick("shuffled", "A", at, price) for at, price in times_and_prices])

    [bar] = scene.until_bars(engine, 1, "shuffled")

    assert [bar[name] for name in ("open", "high", "low", "close")] == [1, 9, 1, 9]


def test_late_tick_is_kept_untouched(scene: Scene, engine: EngineProcess) -> None:
    """A late tick leaves with key, value, time and headers as they came, and says why."""
    #   A  |x        |x |      second 1.6 is past the first bucket's end + grace
    #   A  |  late
    own = [("trace", b"\x00\xff"), ("reason", b"the producer's own")]
    late = tick("tardy", "A", 250, 7.0, partition=1, headers=own)
    scene.produce([tick("tardy", "A", 0, partition=1), tick("tardy", "A", 1600, partition=1), late])

    engine.until("the late tick", lambda: any(r.key == b"tardy|A" for r in scene.late()))
    [record] = [record for record in scene.late() if record.key == b"tardy|A"]

    assert (record.value, record.time_ms, record.partition) == (late.value, late.time_ms, 1)
    added = dict(record.headers[: -len(own)])
    assert record.headers[-len(own) :] == tuple(own)
    assert added.pop("source_offset").isdigit()
    assert added == {
        "reason": b"watermark",
        "source_topic": scene.settings.input_topic.encode(),
        "source_partition": b"1",
        "bucket_start": b"%d" % START_MS,
        "bucket_end": b"%d" % (START_MS + SECOND),
        "lateness_ms": b"1350",
    }


def test_tick_after_silence_is_late_by_silence(scene: Scene, engine: EngineProcess) -> None:
    """A tick for a bucket that silence has closed is late, and its reason says so."""
    scene.produce([tick("napping", "A", 0)])
    scene.until_bars(engine, 1, "napping")
    scene.produce([tick("napping", "A", 10)])

    engine.until("the late tick", lambda: any(r.key == b"napping|A" for r in scene.late()))
    [record] = [record for record in scene.late() if record.key == b"napping|A"]

    assert record.header("reason") == b"silence"
    assert len(scene.bars("napping")) == 1


def test_grace_keeps_a_tick(scene: Scene, engine: EngineProcess) -> None:
    """A tick behind the market clock is in its bar as long as end + grace is ahead of the clock."""
    #   A  |x        |   x       second 1.499: one ms short of end + grace
    #   A  |  in time
    scene.produce([tick("patient", "A", at) for at in (0, 1499, 250)])

    bars = scene.until_bars(engine, 2, "patient")

    assert [bar["tick_count"] for bar in bars] == [2, 1]


def test_partition_without_ticks(scene: Scene, engine: EngineProcess) -> None:
    """A partition that never had a tick is ready, writes no bar, and holds nobody up."""
    scene.produce([tick("elsewhere", "A", 0, partition=2)])
    scene.until_bars(engine, 1, "elsewhere")

    task = engine.tasks()[QUIET_PARTITION]

    assert (task["state"], task["position"], task["brokers"]) == ("running", 0, {})
    assert all(record.partition != QUIET_PARTITION for record in scene.bar_records())


def test_bar_stays_in_its_partition_and_order(scene: Scene, engine: EngineProcess) -> None:
    """A series' bars are in its partition, in order of time, stamped by their start."""
    scene.produce(spread("ordered", 8, 0, 5 * SECOND, 250, partitions=3))
    scene.until_bars(engine, 40, "ordered")

    for number in range(8):
        records = [
            record
            for record in scene.bar_records()
            if (record.key or b"").startswith(b"ordered|S%d|" % number)
        ]
        assert {record.partition for record in records} == {number % 3}
        assert [record.time_ms - START_MS for record in records] == [
            second * SECOND for second in range(5)
        ]


def test_output_codecs(kafka_broker: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Bars leave in every codec, and another client reads each of them."""
    folder = tmp_path_factory.mktemp("codecs")
    scenes = [Scene(kafka_broker.bootstrap, folder, 1, {"COMPRESSION": codec}) for codec in CODECS]
    engines = [scene.engine() for scene in scenes]
    try:
        for scene in scenes:
            scene.produce(spread("coded", 50, 0, 2 * SECOND, 500))
        for scene, engine in zip(scenes, engines, strict=True):
            assert scene.finish(engine).bars_exact == 100
    finally:
        for engine in engines:
            engine.kill9()
