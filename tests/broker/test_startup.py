"""From the first moment to the last: what an engine needs, what it makes, and how it says no."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from barengine.kafka.local import LocalKafka
from barengine.kafka.local_net import pick_free_port
from tests.broker.engine_process import EngineProcess
from tests.broker.records import CALL_S, QUIET, end_offsets, topic_config
from tests.broker.scene import Scene
from tests.broker.ticks import SECOND, spread, tick

MISCONFIGURED = 2
FAILED = 1


def refused(engine: EngineProcess, code: int) -> str:
    """Wait for its end with that exit code; what it said last, without a traceback."""
    with engine:
        assert engine.exit_code() == code, engine.tail()
    assert "Traceback" not in engine.text()
    return "\n".join(line for line in engine.text().splitlines() if not line.startswith("{"))


def first_run(scene: Scene) -> None:
    """Leave a state behind: one bar is out, one window is open."""
    scene.produce([tick("b", "A", 0), tick("b", "A", SECOND)])
    with scene.engine(IDLE_TIMEOUT="off") as engine:
        scene.until_bars(engine.until_ready(), 1)
        assert engine.terminate() == 0


def admin(scene: Scene) -> AdminClient:
    return AdminClient({"bootstrap.servers": scene.bootstrap, **QUIET})


# -- topics ----------------------------------------------------------------------------------


@pytest.mark.parametrize("input_is_there", [True, False], ids=["outputs", "all"])
def test_missing_topics_are_named(bootstrap: str, tmp_path: Path, input_is_there: bool) -> None:
    """Every topic that is missing is named with a command, and the commands are all it takes."""
    scene = Scene(bootstrap, tmp_path, 4, {"AUTO_CREATE_TOPICS": "off"}, make_input=input_is_there)
    settings = scene.settings
    said = refused(scene.engine(), MISCONFIGURED).splitlines()
    words = [shlex.split(line) for line in said if "kafka-topics.sh" in line]

    commands = {line[line.index("--topic") + 1]: line for line in words}
    wanted = {settings.bar_topic, settings.late_topic, settings.dead_topic, settings.state_topic}
    assert commands.keys() == wanted | (set() if input_is_there else {settings.input_topic})

    for topic, command in commands.items():
        assert command[1:4] == ["--bootstrap-server", bootstrap, "--create"]
        assert command[command.index("--partitions") + 1] == "4"
        pairs = [command[n + 1] for n, word in enumerate(command) if word == "--config"]
        config = dict(pair.split("=") for pair in pairs)
        scene.make_topic(topic, **{key.replace(".", "_"): value for key, value in config.items()})
    with scene.engine() as engine:
        engine.until_ready()
        assert len(engine.tasks()) == 4


def test_auto_create_topics(bootstrap: str, tmp_path: Path) -> None:
    """Topics that the engine makes have the input's partitions, compaction and no expiry."""
    limit = {"max_message_bytes": "2000000"}
    scene = Scene(bootstrap, tmp_path, 3, config=limit)
    settings = scene.settings
    with scene.engine() as engine:
        engine.until_ready()

    made = [settings.bar_topic, settings.late_topic, settings.dead_topic, settings.state_topic]
    assert all(end_offsets(bootstrap, topic).keys() == {0, 1, 2} for topic in made)
    config = {topic: topic_config(bootstrap, topic) for topic in made}
    for topic in made[:3]:
        assert config[topic]["cleanup.policy"] == "delete"
        assert config[topic]["retention.ms"] == "-1"
    for topic in made[1:3]:
        assert config[topic]["max.message.bytes"] == str(2_000_000 + 64 * 1024)
    wanted = {
        "cleanup.policy": "compact",
        "segment.bytes": str(64 * 1024**2),
        "min.cleanable.dirty.ratio": "0.1",
        "max.compaction.lag.ms": "600000",
    }
    assert wanted.items() <= dict(config[settings.state_topic]).items()


def test_input_that_does_not_exist_and_stays_empty(bootstrap: str, tmp_path: Path) -> None:
    """An engine makes even its input topic, is ready on nothing, and ends clean without a bar."""
    scene = Scene(bootstrap, tmp_path, make_input=False)
    with scene.engine() as engine:
        engine.until_ready()
        report = scene.finish(engine)

    assert (report.ticks_in, report.bars_read) == (0, 0)


def test_first_ticks_into_an_empty_topic(bootstrap: str, tmp_path: Path) -> None:
    """Bars of an engine that was there before the first tick are whole, not partial."""
    scene = Scene(bootstrap, tmp_path, 2)
    with scene.engine() as engine:
        engine.until_ready()
        scene.produce(spread("b", 4, 0, 2 * SECOND, 250, partitions=2))

        assert scene.finish(engine).bars_exact == 8


@pytest.mark.parametrize(
    ("topic", "config", "partitions", "words"),
    [
        ("bar_topic", {}, 1, "has 1 partitions"),
        ("state_topic", {}, 2, "cleanup.policy=compact"),
        ("state_topic", {"cleanup_policy": "compact,delete"}, 2, "cleanup.policy=compact"),
        (
            "state_topic",
            {"cleanup_policy": "compact", "max_message_bytes": "10000"},
            2,
            "max.message.bytes=1000000",
        ),
        ("late_topic", {"cleanup_policy": "compact"}, 2, "cleanup.policy=delete"),
        ("dead_topic", {"cleanup_policy": "compact,delete"}, 2, "cleanup.policy=delete"),
        (
            "late_topic",
            {"message_timestamp_after_max_ms": "60000"},
            2,
            "message.timestamp.after.max.ms=9223372036854775807",
        ),
        (
            "bar_topic",
            {"message_timestamp_after_max_ms": "60000"},
            2,
            "message.timestamp.after.max.ms=9223372036854775807",
        ),
    ],
    ids=[
        "too few partitions",
        "state is not compacted",
        "state is deleted with time",
        "state takes small batches",
        "letters are compacted",
        "letters are compacted and deleted",
        "letters must not be ahead",
        "bars must not be ahead",
    ],
)
def test_topic_that_does_not_fit(
    bootstrap: str, tmp_path: Path, topic: str, config: dict, partitions: int, words: str
) -> None:
    """A topic that is there and cannot work is named, with what is wrong and the way out."""
    scene = Scene(bootstrap, tmp_path, 2)
    scene.partitions = partitions
    name = getattr(scene.settings, topic)
    scene.make_topic(name, **config)

    said = refused(scene.engine(), MISCONFIGURED)

    assert name in said
    assert words in said


def test_letter_topics_that_are_too_small(bootstrap: str, tmp_path: Path) -> None:
    """Letters that would be cut lose what may be looked up by their offset: a warning, with the
    command."""
    scene = Scene(bootstrap, tmp_path)
    scene.make_topic(scene.settings.dead_topic, max_message_bytes="10000")
    with scene.engine() as engine:
        engine.until_ready()
        [said] = engine.events("letters_may_be_cut")
    assert said["topic"] == scene.settings.dead_topic
    assert f"--entity-name {scene.settings.dead_topic}" in said["command"]
    assert f"max.message.bytes={said['needed']}" in said["command"]


def test_an_input_that_forgets_too_soon(bootstrap: str, tmp_path: Path) -> None:
    """Ticks of open windows may be gone after a crash: a warning, with the command."""
    scene = Scene(bootstrap, tmp_path, config={"retention_ms": "999"})
    with scene.engine() as engine:
        engine.until_ready()
        [said] = engine.events("ticks_may_expire")
    assert (said["topic"], said["retention_ms"]) == (scene.settings.input_topic, 999)
    assert said["needed"] == SECOND
    assert "retention.ms=604800000" in said["command"]


# -- state and log that do not fit -----------------------------------------------------------


def test_changed_window_is_refused(bootstrap: str, tmp_path: Path) -> None:
    """State of another window length is refused, and the old length goes on where it was."""
    scene = Scene(bootstrap, tmp_path)
    first_run(scene)

    said = refused(scene.engine(WINDOW="5s"), FAILED)

    assert "WINDOW" in said
    assert "1s" in said
    with scene.engine() as engine:
        assert scene.finish(engine.until_ready()).bars_exact == 2


def test_group_offset_that_was_reset(bootstrap: str, tmp_path: Path) -> None:
    """Group offsets that someone has set are refused, not followed; without them it goes on."""
    scene = Scene(bootstrap, tmp_path)
    first_run(scene)
    group = scene.settings.group
    reset = [TopicPartition(scene.settings.input_topic, 0, 1)]
    request = [ConsumerGroupTopicPartitions(group, reset)]
    client = admin(scene)
    client.alter_consumer_group_offsets(request)[group].result(CALL_S)

    said = refused(scene.engine(), FAILED)

    assert "reset" in said
    assert group in said
    client.delete_consumer_groups([group])[group].result(CALL_S)
    with scene.engine() as engine:
        assert scene.finish(engine.until_ready()).bars_exact == 2


def test_ticks_that_are_gone(bootstrap: str, tmp_path: Path) -> None:
    """Where retention has taken ticks of an open window, the engine refuses to go on without."""
    scene = Scene(bootstrap, tmp_path)
    first_run(scene)
    scene.produce([tick("b", "A", 1100)])
    cut = TopicPartition(scene.settings.input_topic, 0, 2)
    client = admin(scene)
    client.delete_records([cut])[cut].result(CALL_S)

    said = refused(scene.engine(), FAILED)

    assert "offsets 1 to 1" in said
    assert "retention.ms" in said


def test_input_topic_made_anew(bootstrap: str, tmp_path: Path) -> None:
    """A log that ends before what is processed is another log: it is refused."""
    scene = Scene(bootstrap, tmp_path)
    first_run(scene)
    topic = scene.settings.input_topic
    client = admin(scene)
    client.delete_topics([topic])[topic].result(CALL_S)
    scene.make_topic(topic)

    said = refused(scene.engine(), FAILED)

    assert "made anew" in said


# -- begin and end ---------------------------------------------------------------------------


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_signal_ends_it_cleanly(bootstrap: str, tmp_path: Path, end: signal.Signals) -> None:
    """SIGTERM and Ctrl-C commit what is due and end with exit code 0, well within the budget."""
    settings = {"COMMIT_INTERVAL": "5s", "IDLE_TIMEOUT": "off"}
    scene = Scene(bootstrap, tmp_path, settings=settings)
    with scene.engine() as engine:
        engine.until_ready()
        engine.until("the first commit", lambda: scene.state().partition is not None)
        scene.produce([tick("b", "A", 0), tick("b", "A", SECOND)])
        engine.until("a bar that waits", lambda: engine.total("position") == 2)
        engine.send(end)
        assert engine.exit_code() == 0
        assert engine.events("stopped")
        assert not engine.events("stopped_dirty")
    assert len(scene.bars()) == 1


def test_broker_that_comes_late(tmp_path: Path) -> None:
    """Without a broker it waits, says so once, can be ended, and comes up when the broker does."""
    port = pick_free_port()
    scene = Scene(f"127.0.0.1:{port}", tmp_path, make_input=False)
    with scene.engine() as ended, scene.engine() as engine:
        ended.until("the complaint", lambda: bool(ended.events("waiting_for_kafka")))
        assert ended.terminate() == 0
        engine.until("the complaint", lambda: bool(engine.events("waiting_for_kafka")))
        assert engine.get("/livez")[0] == 200
        assert engine.get("/readyz") == (503, "waiting for an assignment\n")

        with LocalKafka(port=port):
            engine.until_ready()
            scene.produce([tick("b", "A", 0)])
            assert scene.finish(engine).bars_exact == 1
        assert len(engine.events("waiting_for_kafka")) == 1


def test_port_that_is_taken(bootstrap: str, tmp_path: Path) -> None:
    """An HTTP port that another process has is a matter of configuration."""
    scene = Scene(bootstrap, tmp_path)
    with scene.engine() as engine:
        engine.until_ready()

        said = refused(scene.engine(HTTP_PORT=str(engine.port)), MISCONFIGURED)

    assert "BARENGINE_HTTP_PORT" in said
