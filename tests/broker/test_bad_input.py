"""Whatever stands in the input topic has one clear outcome, and costs its neighbours nothing.

One engine for all; each test has a broker of its own, whose ticks stand around the bad record.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer

from barengine.codec.records import encode_record
from barengine.demo.records import OutputRecord
from barengine.kafka.local import LocalKafka
from barengine.kafka.output import PrebuiltBatch
from barengine.kernel import EncodedRecords
from tests.broker.engine_process import EngineProcess
from tests.broker.records import CALL_S, QUIET, Record, produce, write
from tests.broker.scene import Scene
from tests.broker.ticks import SECOND, START_MS, frame, tick, value, varint

INPUT_LIMIT = 3 * 1024 * 1024
BATCH_OVERHEAD = 61  # bytes of a record batch before its records
IN_ONE_BATCH: dict[str, Any] = {"batch.size": INPUT_LIMIT}
"""However large: between two of them a market may fall silent."""

LATER = 100 * SECOND
DAY_MS = 86_400 * SECOND

LATEST_TIME_MS = 2**62 // 10**6 + 1 - START_MS
"""One ms more than an event time may be."""

TOO_HIGH = 1e9
"""The smallest price of ten digits: with nine decimals, more than decimal(18) has room for."""

BAD = {
    "no frame": (b"", "framing"),
    "half a frame": (frame()[:4], "framing"),
    "wrong first byte": (b"\x01" + value("b", "A", 0)[1:], "framing"),
    "text": (b"not Avro at all", "framing"),
    "noise": (frame() + b"\xff" * 24, "undecodable"),
    "nothing behind the frame": (frame(), "undecodable"),
    "cut": (value("b", "A", 0)[:-1], "undecodable"),
    "too long": (value("b", "A", 0) + b"\x00", "undecodable"),
    "negative length": (frame() + varint(-5) + b"x" * 20, "undecodable"),
    "length past the end": (frame() + varint(2**40) + b"x" * 20, "undecodable"),
    "no UTF-8": (value("b", b"\xc3\x28", 0), "undecodable"),
    "NaN": (value("b", "A", 0, math.nan), "price_not_finite"),
    "Inf": (value("b", "A", 0, math.inf), "price_not_finite"),
    "-Inf": (value("b", "A", 0, -math.inf), "price_not_finite"),
    "huge price": (value("b", "A", 0, 1e300), "price_range"),
    "price just too high": (value("b", "A", 0, TOO_HIGH), "price_range"),
    "empty broker": (value("", "A", 0), "empty_name"),
    "empty symbol": (value("b", "", 0), "empty_name"),
    "long symbol": (value("b", "x" * 257, 0), "name_too_long"),
    "long in bytes": (value("é" * 129, "A", 0), "name_too_long"),
    "a symbol of 1 MiB": (value("b", "x" * 2**20, 0), "name_too_long"),
    "time too late": (value("b", "A", LATEST_TIME_MS), "time_range"),
    "time too early": (value("b", "A", -LATEST_TIME_MS - 2 * START_MS), "time_range"),
    "null": (None, "null_value"),
}


@pytest.fixture(scope="module")
def scene(kafka_broker: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """An input topic that takes records of three MiB."""
    limit = {"max_message_bytes": str(INPUT_LIMIT)}
    folder = tmp_path_factory.mktemp("bad")
    return Scene(kafka_broker.bootstrap, folder, config=limit)


@pytest.fixture(scope="module")
def engine(scene: Scene) -> Iterator[EngineProcess]:
    """One engine at work; at the end, in = bars + late + dead over everything sent by any test."""
    with scene.engine() as engine:
        yield engine.until_ready()
        scene.until_idle(engine)
        assert engine.terminate() == 0, engine.tail()
        report = scene.verify(late=None, dead=None)
        assert report.ticks_in == report.in_bars + report.late + report.dead


def letter_of(scene: Scene, engine: EngineProcess, broker: str, bad: Record) -> OutputRecord:
    """Send the record between two ticks, insist on their bar, and return its only dead letter."""
    good, again = tick(broker, "A", 0, 1.0), tick(broker, "A", 500, 2.0)
    # the last one closes the bar of the other two at once
    records = [good, bad, again, tick(broker, "A", LATER)]
    write(scene.bootstrap, scene.settings.input_topic, records, **IN_ONE_BATCH)

    [bar, *_] = scene.until_bars(engine, 1, broker)
    assert (bar["tick_count"], bar["open"], bar["close"]) == (2, 1, 2)
    bad_offset = bar["first_offset"] + 1
    [letter] = [
        letter for letter in scene.dead() if letter.header("source_offset") == b"%d" % bad_offset
    ]
    return letter


@pytest.mark.parametrize(("kind", "key"), [*((kind, b"\xffkey") for kind in BAD), ("null", None)])
def test_dead_letter(scene: Scene, engine: EngineProcess, kind: str, key: bytes | None) -> None:
    """A record that is no tick leaves as it came, with the reason and where it stood."""
    content, reason = BAD[kind]
    own = [("trace", b"\x00\x01"), ("trace", b""), ("trace", None)]
    bad = Record(content, key, 0, START_MS + 7, own)

    letter = letter_of(scene, engine, f"{kind} {key!r}", bad)

    assert (letter.value, letter.key, letter.time_ms) == (bad.value, bad.key, bad.time_ms)
    assert letter.header("reason") == reason.encode()
    assert letter.header("source_topic") == scene.settings.input_topic.encode()
    assert letter.header("source_partition") == b"0"
    assert letter.headers[-3:] == tuple(own)
    assert letter.header("truncated") is None


async def test_header_name_that_is_no_text(scene: Scene, engine: EngineProcess) -> None:
    """A header's name need not be UTF-8; a bad record that has such a one is a dead letter, too."""
    record = encode_record(0, 0, b"odd header", b"\x01", [("@@", b"x")])
    odd = EncodedRecords(record.replace(b"@@", b"\xff\xfe"), 1, START_MS, START_MS)
    producer = AIOKafkaProducer(bootstrap_servers=scene.bootstrap)
    async with producer:
        batch = PrebuiltBatch(odd, "none", transactional=False)
        await (await producer.send_batch(batch, scene.settings.input_topic, partition=0))

    def letters() -> list[OutputRecord]:
        return [letter for letter in scene.dead() if letter.key == b"odd header"]

    engine.until("the letter", lambda: bool(letters()))
    [letter] = letters()
    assert letter.header("reason") == b"framing"
    assert letter.headers[-1] == ("\ufffd\ufffd", b"x")


def test_metrics_count_dead_letters(scene: Scene, engine: EngineProcess) -> None:
    """Each dead letter is counted under its reason."""
    name, reason = "barengine_dead_letters_total", {"reason": "null_value"}
    before = engine.metric(name, **reason)

    letter_of(scene, engine, "counted", Record(None))

    engine.until("the count", lambda: engine.metric(name, **reason) > before)
    assert engine.metric(name, **reason) == before + 1


def test_names_as_long_as_allowed(scene: Scene, engine: EngineProcess) -> None:
    """Names of 256 bytes are good ones."""
    longest = "é" * 128
    scene.produce([tick("long" * 64, longest, 0), tick("long" * 64, longest, LATER)])

    [bar, *_] = scene.until_bars(engine, 1, "long" * 64)

    assert bar["symbol"] == longest


def done(failed: list[bool]) -> Callable[[object, object], None]:
    """A delivery callback that takes note."""
    return lambda error, _: failed.append(error is not None)


def largest_record(scene: Scene) -> Record:
    """Send the largest record that the input topic takes, and return it."""
    producer = Producer(
        {"bootstrap.servers": scene.bootstrap, "message.max.bytes": 2 * INPUT_LIMIT, **QUIET}
    )
    noise = os.urandom(INPUT_LIMIT)  # random bytes, so that no codec makes it smaller
    for size in range(INPUT_LIMIT - BATCH_OVERHEAD, 0, -1):
        failed: list[bool] = []
        record = Record(noise[:size], time_ms=START_MS)
        produce(producer, scene.settings.input_topic, record, done(failed))
        assert producer.flush(CALL_S) == 0
        if failed == [False]:
            return record
    raise AssertionError("no record is small enough")


def test_dead_letter_as_large_as_the_topic_allows(scene: Scene, engine: EngineProcess) -> None:
    """The largest record that fits into the input topic fits into the dead letters, uncut."""
    record = largest_record(scene)
    assert record.value is not None

    engine.until("the letter", lambda: any(each.value == record.value for each in scene.dead()))

    [letter] = [letter for letter in scene.dead() if letter.value == record.value]
    assert letter.header("truncated") is None


def test_dead_letter_that_does_not_fit(kafka_broker: LocalKafka, tmp_path: Path) -> None:
    """A dead letter that its topic refuses is cut, says how long it was, and loses nothing else."""
    limit = 64 * 1024
    scene = Scene(kafka_broker.bootstrap, tmp_path)
    scene.make_topic(scene.settings.dead_topic, max_message_bytes=str(limit))
    noise = b"\x07" + os.urandom(3 * limit)
    key = os.urandom(2 * limit)
    with scene.engine() as engine:
        records = [tick("b", "A", 0), Record(noise), Record(b"", key), tick("b", "A", 500)]
        scene.produce(records)

        [bar] = scene.until_bars(engine.until_ready(), 1)
        long_value, long_key = scene.dead()

    assert bar["tick_count"] == 2
    assert long_value.value
    assert noise.startswith(long_value.value)
    assert len(long_value.value) > limit // 2
    assert long_value.header("truncated") == b"%d" % len(noise)
    assert long_key.key
    assert key.startswith(long_key.key)
    assert long_key.header("truncated") == b"0"
    assert [each.header("source_offset") for each in (long_value, long_key)] == [b"1", b"2"]


def test_quarantine_says_when(scene: Scene, engine: EngineProcess) -> None:
    """A tick stamped 2099 is a dead letter of its broker, and moves no clock."""
    #   A  |x  2099  x|            the clock goes on from the first tick
    year_2099_ms = 4_070_908_800_000 - START_MS
    future = Record(value("prophet", "A", year_2099_ms), time_ms=START_MS)

    letter = letter_of(scene, engine, "prophet", future)

    assert (letter.header("reason"), letter.value) == (b"future", future.value)
    name = "barengine_quarantined_ticks_total"
    engine.until("the count", lambda: engine.metric(name, broker="prophet") == 1)


def test_record_from_the_future(kafka_broker: LocalKafka, tmp_path: Path) -> None:
    """Records stamped far ahead leave as they came, and so do bars that are, where that is allowed:
    topics that the engine makes take any time."""
    any_time = {"message_timestamp_after_max_ms": str(2**63 - 1)}
    settings = {"MAX_FUTURE": "2d"}
    scene = Scene(kafka_broker.bootstrap, tmp_path, settings=settings, config=any_time)
    now_ms = int(time.time() * SECOND)
    tomorrow, in_a_year = now_ms + DAY_MS, now_ms + 365 * DAY_MS
    ticks = [tick("b", "A", at_ms - START_MS) for at_ms in (tomorrow, in_a_year)]
    scene.produce(ticks)

    with scene.engine() as engine:
        report = scene.finish(engine.until_ready(), dead=1)

    assert report.bars_exact == 1
    assert [letter.time_ms for letter in scene.dead()] == [in_a_year]


def test_flood_of_bad_records(scene: Scene, engine: EngineProcess) -> None:
    """Many bad records in a row give as many letters, in their order, and no bar."""
    scene.produce([Record(b"\x01%d" % number, b"flood") for number in range(2000)])

    def flood() -> list[bytes | None]:
        return [letter.value for letter in scene.dead() if letter.key == b"flood"]

    engine.until("2000 letters", lambda: len(flood()) >= 2000)
    assert flood() == [b"\x01%d" % number for number in range(2000)]
