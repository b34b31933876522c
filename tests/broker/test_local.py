"""The local Kafka itself: a real broker, started, disturbed and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from barengine.errors import LocalKafkaError
from barengine.kafka.local import LocalKafka
from tests.processes import PATIENCE_S, eventually, is_gone

CALL_S = PATIENCE_S  # bounds one call of a client, on a machine that is busy
PARENT = """
import time
from barengine.kafka.local import LocalKafka
with LocalKafka() as kafka:
    print(kafka.pid, kafka.log_path.parent, flush=True)
    time.sleep(600)
"""


def make_topic(bootstrap: str, topic: str) -> None:
    """Make a topic of one partition."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, 1)])[topic].result(CALL_S)


def write(bootstrap: str, topic: str, value: bytes) -> None:
    """Write one record and wait for the broker's word that it is stored."""
    answers: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(topic, value, partition=0, on_delivery=lambda e, _: answers.append(e))
    assert producer.flush(CALL_S) == 0
    assert answers == [None]


def read(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    """Read so many records from the start of partition 0."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"{topic}-reader"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    records = consumer.consume(count, CALL_S)
    consumer.close()
    return [record.value() for record in records if record.error() is None]


@contextmanager
def python(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Another Python process, killed at the end if it still runs."""
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    """What it says first on standard output (the end of the output is no line)."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_serves_independent_clients(kafka_broker: LocalKafka, topic_name: str) -> None:
    """librdkafka makes a topic, writes and reads on it."""
    make_topic(kafka_broker.bootstrap, topic_name)
    write(kafka_broker.bootstrap, topic_name, b"tick")

    assert read(kafka_broker.bootstrap, topic_name, 1) == [b"tick"]


def test_starting_twice_is_starting_once(kafka_broker: LocalKafka) -> None:
    """``start`` on a running broker changes nothing."""
    pid = kafka_broker.pid

    assert kafka_broker.start() is kafka_broker
    assert kafka_broker.pid == pid


def test_kill_and_restart_keep_port_and_data(topic_name: str) -> None:
    """A broker that was killed, or stopped to start again, comes back as it was."""
    with LocalKafka() as kafka:
        bootstrap = kafka.bootstrap
        make_topic(bootstrap, topic_name)
        write(bootstrap, topic_name, b"before the kill")
        victim = kafka.pid

        kafka.kill()
        assert is_gone(victim)
        assert not kafka.running

        kafka.start()
        assert kafka.bootstrap == bootstrap
        write(bootstrap, topic_name, b"before the restart")

        kafka.restart()
        assert kafka.bootstrap == bootstrap
        assert read(bootstrap, topic_name, 2) == [b"before the kill", b"before the restart"]


def test_stop_leaves_nothing_and_may_be_repeated() -> None:
    """After ``stop`` the process and its temporary folder are gone; stopping again is nothing."""
    kafka = LocalKafka().start()
    pid, folder = kafka.pid, kafka.log_path.parent
    assert folder.exists()

    kafka.stop()
    kafka.stop()

    assert is_gone(pid)
    assert not folder.exists()
    assert not kafka.running
    with pytest.raises(LocalKafkaError, match="not started"):
        _ = kafka.log_path


def test_named_folder_keeps_its_topics_and_serves_one_broker(
    tmp_path: Path, topic_name: str
) -> None:
    """Another broker finds what the first one left in the folder, and never shares it."""
    with LocalKafka(data_dir=tmp_path) as first:
        make_topic(first.bootstrap, topic_name)
        write(first.bootstrap, topic_name, b"kept")
        with pytest.raises(LocalKafkaError, match=r"in use by another local Kafka.*--data DIR"):
            LocalKafka(data_dir=tmp_path).start()
        assert first.running

    with LocalKafka(data_dir=tmp_path) as second:
        assert second.bootstrap != first.bootstrap
        assert read(second.bootstrap, topic_name, 1) == [b"kept"]


def test_killed_parent_leaves_no_broker_and_no_folder() -> None:
    """``kill -9`` of the process that started it ends the broker and removes its folder."""
    with python("-c", PARENT) as parent:
        pid, folder = first_line(parent).split(maxsplit=1)
        assert not is_gone(int(pid))

        parent.kill()

        assert eventually(lambda: is_gone(int(pid)))
        assert eventually(lambda: not Path(folder).exists())


@pytest.mark.parametrize(
    ("config", "word"),
    [({"num.io.threads": "none"}, "num.io.threads"), ({"log.dirs": "/dev/null/x"}, "/dev/null")],
    ids=["at format", "a folder that cannot be"],
)
def test_broker_that_cannot_come_up_shows_its_last_words(
    config: dict[str, str], word: str, tmp_path: Path
) -> None:
    """A start that fails ends with the broker's own last lines, and leaves no process."""
    kafka = LocalKafka(data_dir=tmp_path, config=config)

    with pytest.raises(LocalKafkaError) as caught:
        kafka.start()

    assert word in str(caught.value)
    assert str(tmp_path / "broker.log") in str(caught.value)
    assert not kafka.running


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_command_runs_until_it_is_told_to_end(end: signal.Signals) -> None:
    """``barengine kafka`` prints the address of a broker that answers, and ends cleanly."""
    with python("-m", "barengine", "kafka", "--port", "0") as command:
        address = first_line(command)
        assert AdminClient({"bootstrap.servers": address}).list_topics(timeout=CALL_S).brokers

        os.kill(command.pid, end)
        assert command.wait(CALL_S) == 0
        assert command.stderr is not None
        assert "Traceback" not in command.stderr.read()


def test_command_fails_when_the_broker_dies(tmp_path: Path) -> None:
    """``barengine kafka`` whose broker dies by itself fails and says where its log is."""
    with python("-m", "barengine", "kafka", "--port", "0", "--data", str(tmp_path)) as command:
        assert first_line(command)
        broker = next(
            child
            for child in psutil.Process(command.pid).children(recursive=True)
            if child.name() == "java"
        )

        broker.kill()

        assert command.wait(CALL_S) == 1
        assert command.stderr is not None
        assert str(tmp_path / "broker.log") in command.stderr.read()
