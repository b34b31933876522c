"""The demo as users run it: a process of its own, with a real broker, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from barengine import cli
from barengine.cli.state import read_views
from barengine.demo.check import check_bars
from barengine.demo.records import InputRecord, OutputRecord
from barengine.kafka.local import LocalKafka
from barengine.model import Order, Period
from barengine.settings import load_settings
from tests.processes import PATIENCE_S, eventually, is_gone

PARTITIONS = 4


class Demo:
    """One run of ``barengine demo`` without a terminal, and every process that it started."""

    def __init__(self, out: Path, *arguments: str) -> None:
        self._out = out
        self._children: dict[int, psutil.Process] = {}
        environ = {k: v for k, v in os.environ.items() if not k.startswith("BARENGINE_")}
        environ |= {"BARENGINE_KERNEL": os.environ.get("BARENGINE_KERNEL", "pure")}
        environ |= {"BARENGINE_GRACE": "a value that the demo must not read"}
        with out.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "barengine", "demo", *arguments],
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environ,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        """Everything said so far."""
        return self._out.read_text()

    def says(self, words: str, timeout_s: float = PATIENCE_S) -> bool:
        """Wait until it says so, taking note of its processes meanwhile."""
        return eventually(lambda: self._look() and words in self.text, timeout_s)

    def end(self, timeout_s: float = 3 * PATIENCE_S) -> int | None:
        """Its exit code, None if it does not end."""
        eventually(lambda: self._look() and self.process.poll() is not None, timeout_s)
        return self.process.poll()

    def _look(self) -> bool:
        try:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                self._children.setdefault(child.pid, child)
        except psutil.NoSuchProcess:
            pass
        return True

    @property
    def java(self) -> list[psutil.Process]:
        """The brokers among its processes."""
        return [child for child in self._children.values() if _is_java(child)]

    def left(self) -> list[int]:
        """Processes that it started and that are still there, after a moment."""
        eventually(lambda: all(is_gone(pid) for pid in self._children))
        return [pid for pid, child in self._children.items() if child.is_running()]

    @property
    def started(self) -> int:
        """How many processes it has started."""
        return len(self._children)


def _is_java(process: psutil.Process) -> bool:
    try:
        return bool(process.name() == "java")
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where the demo writes."""
    return tmp_path / "out"


async def test_every_bar_of_the_demo_is_exact(out: Path, tmp_path: Path) -> None:
    """Ten seconds of a made-up market: all exact, exit code 0, no process left; and whoever
    reads the kept topics with another client comes to the same verdict."""
    kept = tmp_path / "kept"
    demo = Demo(out, "--for", "10s", "--rate", "500", "--keep", str(kept))
    assert demo.end() == 0, demo.text
    assert demo.left() == []
    assert demo.started >= 2  # supervisor and broker were seen, so their end means something
    assert re.search(r"\n[1-9][0-9,]* bars, all exact\n$", demo.text), demo.text
    assert re.search(r" [1-9][0-9]* late, [1-9][0-9]* dead letters, 0 unaccounted", demo.text)
    assert "not used here: BARENGINE_GRACE" in demo.text
    assert "\x1b" not in demo.text
    with LocalKafka(data_dir=kept) as broker:
        _verdict_of_another_client(broker.bootstrap)
        await _state_says_that_all_is_done(broker.bootstrap)


def _verdict_of_another_client(bootstrap: str) -> None:
    ticks, bars, late, dead = (
        _read(bootstrap, topic) for topic in ("ticks", "bar_5s", "tick_late", "tick_dead")
    )
    report = check_bars(
        [InputRecord(*record[:5]) for record in ticks],
        bars,
        late,
        dead,
        period=Period.parse("5s"),
        grace_ns=10**9,
        order=Order.EVENT_TIME,
        price_scale=9,
    )
    assert report.ok, report.lines()
    assert report.bars_exact == len(bars) > 24


def _read(bootstrap: str, topic: str) -> list[OutputRecord]:
    """A topic as librdkafka reads it, read committed."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "nobody",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(PARTITIONS)])
    records, at_end = [], set[int]()
    deadline = time.monotonic() + PATIENCE_S
    while len(at_end) < PARTITIONS and time.monotonic() < deadline:
        message: Any = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            at_end.add(message.partition())
            continue
        records.append(
            OutputRecord(
                message.partition(),
                message.offset(),
                message.key(),
                message.value(),
                message.timestamp()[1],
                tuple(message.headers() or ()),
            )
        )
    consumer.close()
    assert len(at_end) == PARTITIONS
    return records


async def _state_says_that_all_is_done(bootstrap: str) -> None:
    """C is the end of the log and nothing would be read again."""
    settings = load_settings(None, {"BARENGINE_BOOTSTRAP_SERVERS": bootstrap})
    views = await read_views(settings, None)
    assert [view.partition for view in views] == list(range(PARTITIONS))
    assert {(view.lag, view.replay, view.log_start) for view in views} == {(0, 0, 0)}
    assert {view.fingerprint["WINDOW"] for view in views} == {"5s"}
    assert all(broker.closed_through for view in views for broker in view.brokers)
    assert await read_views(settings, 2) == [views[2]]


def test_every_bar_of_every_period_of_the_demo_is_exact(out: Path) -> None:
    """Roll-ups, a bar for each empty bucket, corrections and live bars: the report says how many
    there were, and that all are what the ticks make of them."""
    wanted = "--rollups 2s,10s --continuous 1s --late correct --live 500ms"
    demo = Demo(out, "--for", "10s", "--rate", "500", *wanted.split())
    assert demo.end() == 0, demo.text
    assert demo.left() == []
    many = "[1-9][0-9,]*"
    for said in (
        rf" in bars \({many} by corrections\), 0 late, {many} dead letters, 0 unaccounted for",
        rf"1s: {many} final bars, {many} of them filled, {many} corrections",
        rf"2s: {many} final bars, {many} corrections",
        rf"10s: {many} final bars",
        rf"{many} live bars",
        rf"{many} bars, all exact",
    ):
        assert re.search(rf"^.*{said}", demo.text, re.MULTILINE), demo.text


def test_a_file_is_played_and_every_bar_is_exact(out: Path, tmp_path: Path) -> None:
    """Old ticks, series by series: each has a clock of its own, and every tick is in a bar."""
    file = tmp_path / "ticks.csv"
    rows = [
        f"acme,{symbol},{1_772_438_400_000 + 40 * k},{100 + k % 7 / 10}"
        for symbol in ("one", "two")
        for k in range(1_000)
    ]
    file.write_text("\n".join(["broker,symbol,timestamp,bid", *rows]))
    demo = Demo(out, "--ticks", str(file), "--partitions", "2", "--window", "1s")
    assert demo.end() == 0, demo.text
    assert demo.left() == []
    assert "2,000 records in: 2,000 in bars, 0 late, 0 dead letters" in demo.text
    assert demo.text.endswith("\n80 bars, all exact\n")


def test_ctrl_c_ends_the_ticks_and_comes_to_the_verdict(out: Path) -> None:
    """Once: the last windows close, every bar is checked."""
    demo = Demo(out, "--for", "off", "--rate", "200", "--window", "1s")
    assert demo.says("Ctrl-C ends the ticks"), demo.text
    assert demo.says(" final bars")
    demo.process.send_signal(signal.SIGINT)
    assert demo.end() == 0, demo.text
    assert demo.left() == []
    assert demo.text.endswith("bars, all exact\n")


def test_ctrl_c_twice_ends_it_at_once(out: Path) -> None:
    """Nothing is checked, exit code 130, no process left."""
    # silence must not close the last windows, and end it, before the second one comes
    demo = Demo(out, "--for", "off", "--rate", "200", "--window", "1d")
    assert demo.says("Ctrl-C ends the ticks"), demo.text
    demo.process.send_signal(signal.SIGINT)
    assert demo.says("no more ticks"), demo.text
    demo.process.send_signal(signal.SIGINT)
    assert demo.end() == 130, demo.text
    assert demo.left() == []
    assert demo.text.endswith("interrupted: nothing was checked\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_the_broker_starts_leaves_nothing(
    out: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As soon as there is a Java process, the demo can be ended without a trace."""
    # it does not come up before the signal: it waits for that file to be removed
    pause = f"-XX:+PauseAtStartup -XX:PauseAtStartupFile={tmp_path / 'paused'}"
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", f"-XX:+UnlockDiagnosticVMOptions {pause}")
    demo = Demo(out)
    assert eventually(lambda: demo.end(0.0) is None and bool(demo.java)), demo.text
    demo.process.send_signal(number)
    assert demo.end() == 130, demo.text
    assert demo.left() == []
    assert demo.text.endswith("interrupted: nothing was checked\n")


def test_the_end_of_the_broker_ends_the_demo(out: Path) -> None:
    """It says so, and where the engine's log is; exit code 1."""
    demo = Demo(out, "--for", "off", "--rate", "200")
    assert demo.says("Ctrl-C ends the ticks"), demo.text
    for broker in demo.java:
        broker.kill()
    assert demo.end() == 1, demo.text
    assert demo.left() == []
    assert "barengine: the local Kafka ended by itself" in demo.text
    log = re.search(r"the engine's log is in (\S+)", demo.text)
    assert log is not None, demo.text
    Path(log[1]).unlink()


def test_a_state_topic_that_is_not_there_is_a_configuration_error(
    bootstrap: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The message names the topic, the broker and the keys that make its name; exit code 2."""
    monkeypatch.setenv("BARENGINE_BOOTSTRAP_SERVERS", bootstrap)
    monkeypatch.setenv("BARENGINE_CONTEXT", "nobody")
    assert cli.main(["state", "show"]) == 2
    told = capsys.readouterr().err
    assert f"there is no topic nobody.barengine.nobody.ticks.state at {bootstrap}" in told
    assert "GROUP_ID, INPUT_TOPIC and CONTEXT" in told
