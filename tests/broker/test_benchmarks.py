"""The benchmarks' own machinery: topics that are made once, runs that are judged."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest

from barengine.codec.framing import HEADER_SIZE
from benchmarks import measure as measuring
from benchmarks.contender import Command, Contender, Decode, Job, decode_struct
from benchmarks.contenders.ours import COMPILED, with_rollups
from benchmarks.load import Load, expected, prepare
from benchmarks.measure import Run, measure
from benchmarks.program import arguments
from benchmarks.ticks import UNITS, Chunk, chunks, closing
from benchmarks.verdict import Verdict
from tests.broker.records import Record, end_offsets, make_topic, read_messages, write


@pytest.fixture(autouse=True)
def logs_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(measuring, "FOLDER", tmp_path)


TWICE = """
import signal, struct, time
from benchmarks.program import options
from confluent_kafka import Producer
job = options()
producer = Producer({{"bootstrap.servers": job.bootstrap, "transactional.id": job.output}})
producer.init_transactions()
def send(bars, pause_s):
    producer.begin_transaction()
    for key, bar in bars:
        value = struct.pack("<4dq", *(price / 100_000 for price in bar[:4]), bar[4])
        producer.produce(job.output, value, key)
    producer.flush()
    time.sleep(pause_s)
    producer.commit_transaction()
*most, last = {bars}
print("RUNNING", flush=True)
send(most * 2, 0)
send([last] * 2, {pause_s})
signal.pause()
"""


def script(text: str, decode: Decode | None = decode_struct, *, told: bool = False) -> Contender:
    """A program of so many lines; ``told``: it gets the job on its command line."""

    def command(job: Job) -> Command:
        return Command([sys.executable, "-c", text, *(arguments(job) if told else ())])

    return Contender("a script", "none", command, decode=decode)


def ticks_of(chunk: Chunk) -> Iterator[tuple[str, int, int]]:
    """Symbol, time and price of each tick, as plain numbers."""
    columns = (chunk.series.tolist(), chunk.time_ms.tolist(), chunk.price.tolist())
    for series, time_ms, price in zip(*columns, strict=True):
        yield f"{chunk.symbol.decode()}{series:05}", time_ms, price


def topics(bootstrap: str) -> set[str]:
    from confluent_kafka.admin import AdminClient

    found = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=60).topics
    return {name for name in found if not name.startswith("__")}


async def test_a_topic_holds_the_ticks_of_its_load(bootstrap: str) -> None:
    """librdkafka and fastavro read the very ticks, in order, whatever codec and schema."""
    load = Load(3_000, 20, 2, "zstd", "decimal", nullable=True, padding=30, minutes=2)
    topic = await prepare(bootstrap, load)
    schema = fastavro.parse_schema(load.schema)
    found: dict[int, list[tuple[Any, ...]]] = {0: [], 1: []}
    for message in read_messages(bootstrap, topic):
        body = io.BytesIO(message.value()[HEADER_SIZE:])
        value: Any = fastavro.schemaless_reader(body, schema, None)
        seen = (value["symbol"], message.timestamp()[1], value["bid"] * UNITS)
        assert message.key().decode() == f"BRK|{value['symbol']}"
        assert round(value["timestamp"].timestamp() * 1000) == seen[1]
        found[message.partition()].append(seen)
    for partition, ticks in found.items():
        made = [*chunks(load, partition), closing(load, partition)]
        assert ticks == [tick for chunk in made for tick in ticks_of(chunk)]


async def test_a_load_is_made_once_and_never_by_halves(bootstrap: str) -> None:
    """A complete topic is taken as it is, one that was interrupted is made anew."""
    load = Load(1_000, series=10, partitions=1, seed=1)
    make_topic(bootstrap, load.name, 1)
    write(bootstrap, load.name, [Record(b"left by a broken run")])
    for _ in range(2):
        assert await prepare(bootstrap, load) == load.name
        assert end_offsets(bootstrap, load.name) == {0: 1_001}
    first = next(iter(read_messages(bootstrap, load.name)))
    assert first.value()[:1] == b"\0"


async def test_barengine_is_measured_and_every_bar_judged(bootstrap: str) -> None:
    """All bars of the load are found exact, and no topic of the run is left."""
    load = Load(20_000, series=50, partitions=2, minutes=3)
    await prepare(bootstrap, load)
    before = topics(bootstrap)
    run = measure(COMPILED, bootstrap, load)
    assert (run.problem, run.ticks) == ("", 20_000)
    assert run.verdict == Verdict(exact=len(expected(load)))
    assert run.seconds > 0
    assert run.peak_bytes > 10_000_000
    assert run.notes["loop_max_ms"] >= run.notes["loop_own_ms"] >= 0
    assert topics(bootstrap) == before


async def test_roll_ups_are_beside_what_is_judged(bootstrap: str) -> None:
    """The base bars are those of the load, in the topic that was asked for."""
    load = Load(20_000, series=50, partitions=2, minutes=12)
    await prepare(bootstrap, load)
    run = measure(with_rollups("5m,1h"), bootstrap, load)
    assert (run.problem, run.verdict) == ("", Verdict(exact=len(expected(load))))


async def test_the_end_is_the_commit_of_the_last_bar(bootstrap: str) -> None:
    """As many records as bars are not all the bars, and what is not committed has not come. Here
    that is so for longer than anybody would look on after the first of them."""
    load = Load(1_000, series=10, partitions=1, minutes=3)
    await prepare(bootstrap, load)
    made = [(key, tuple(bar)) for key, bar in expected(load).items()]
    pause_s = 2 * measuring._AFTER_S
    run = measure(script(TWICE.format(bars=made, pause_s=pause_s), told=True), bootstrap, load)
    bars = len(expected(load))
    assert run.seconds > pause_s
    assert (run.problem, run.verdict) == ("", Verdict(exact=bars, duplicate=bars))


async def test_bars_may_come_while_they_are_looked_at(
    bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is the first moment at which all of them were known to be there, and not earlier."""
    load = Load(1_000, series=10, partitions=1, minutes=3)
    await prepare(bootstrap, load)
    made = [(key, tuple(bar)) for key, bar in expected(load).items()]
    known, asked = measuring._Watched._ends, []

    def late(self: Any) -> tuple[int, ...]:
        """For a second, of no more than there must be at least."""
        asked.append(time.perf_counter())
        return min(known(self), (len(made),)) if asked[-1] - asked[0] < 1 else known(self)

    monkeypatch.setattr(measuring._Watched, "_ends", late)
    run = measure(script(TWICE.format(bars=made, pause_s=0), told=True), bootstrap, load)
    assert (run.problem, run.verdict) == ("", Verdict(len(made), duplicate=len(made)))
    assert run.seconds >= 1


@pytest.mark.parametrize(
    ("contender", "problem"),
    [
        (script("raise SystemExit('no luck')"), "did not begin (exit code 1: no luck)"),
        (
            script("print('RUNNING')"),
            "did not finish: 0 of 30 bars (exit code 0: it says nothing)",
        ),
        (script("print('RUNNING\\nDONE 7')", None), "read 7 of 1,001 records"),
    ],
)
async def test_a_contender_that_fails_is_a_row_that_says_so(
    bootstrap: str, contender: Contender, problem: str
) -> None:
    """It ends neither the benchmark nor in a figure that looks like any other."""
    load = Load(1_000, series=10, partitions=1, minutes=3)
    await prepare(bootstrap, load)
    run: Run = measure(contender, bootstrap, load)
    assert run.problem == problem
