"""``barengine infra`` against a real broker: what it shows, what it makes, what it lets be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)
from prometheus_client.parser import text_string_to_metric_families

from barengine.kafka.local import LocalKafka
from barengine.kafka.local_net import pick_free_port
from tests.broker.records import CALL_S, QUIET, end_offsets, make_topic, topic_config
from tests.broker.scene import Scene
from tests.broker.ticks import SECOND, spread
from tests.infra.commands import (
    DONE,
    FAILED,
    HISTORY,
    MISCONFIGURED,
    TO_DO,
    apply,
    changes,
    finish,
    history,
    infra,
    plan,
    start,
)

TOPICS: Final = 6
"""Input, bars, late, dead, state, history."""


def empty(bootstrap: str, folder: Path, **settings: str) -> Scene:
    """A context in which nothing is there yet, for engines that may make nothing."""
    given = {"AUTO_CREATE_TOPICS": "off", **settings}
    return Scene(bootstrap, folder, settings=given, make_input=False)


def alter(scene: Scene, topic: str, key: str, value: str) -> None:
    """Somebody sets one setting of a topic."""
    admin = AdminClient({"bootstrap.servers": scene.bootstrap, **QUIET})
    entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(CALL_S)


def test_from_an_empty_cluster_to_bars(bootstrap: str, tmp_path: Path) -> None:
    """Plan says what is missing, apply makes it, then there is nothing to do, for ever; and an
    engine that may make nothing runs on it."""
    scene = empty(bootstrap, tmp_path)
    before = infra(scene, "plan")
    assert before.code == TO_DO
    assert f"+ topic {scene.settings.bar_topic}" in before.out
    assert "kafka-acls.sh" in before.out

    done = apply(scene, "--partitions", "2")
    assert len(done["applied"]) == TOPICS
    assert done["skipped"] == 0
    remembered = history(scene)
    assert [entry["resource"] for entry in remembered] == [*changes(done)]
    assert all(entry["found"] is False for entry in remembered)

    assert infra(scene, "plan").code == DONE
    again = apply(scene)
    assert again["applied"] == again["left_alone"] == []
    assert again["skipped"] == TOPICS
    assert history(scene) == remembered

    scene.partitions = 2
    scene.produce(spread("b", 4, 0, 3 * SECOND, 250, partitions=2))
    with scene.engine() as engine:
        assert scene.finish(engine).bars_exact == 12


def test_what_is_made_is_what_auto_create_topics_makes(bootstrap: str, tmp_path: Path) -> None:
    """An engine's own topics leave nothing to do but the history."""
    scene = Scene(bootstrap, tmp_path, 3)
    with scene.engine() as engine:
        engine.until_ready()
    assert [*changes(plan(scene))] == [f"topic {scene.context}.{HISTORY}"]
    done = apply(scene)
    assert (len(done["applied"]), done["skipped"]) == (1, TOPICS - 1)
    assert [entry["found"] for entry in history(scene)] == [False, *[True] * (TOPICS - 1)]


def test_partitions_follow_an_input_that_has_grown(bootstrap: str, tmp_path: Path) -> None:
    """Every other topic gets as many; then an engine starts."""
    scene = empty(bootstrap, tmp_path)
    apply(scene, "--partitions", "1")
    settings = scene.settings
    grow(scene, settings.input_topic, 3)
    outputs = {settings.bar_topic, settings.late_topic, settings.dead_topic, settings.state_topic}
    wanted = {f"topic {topic}": {"partitions": ("1", "3")} for topic in outputs}
    assert changes(plan(scene)) == wanted
    assert changes(apply(scene)) == wanted
    assert all(len(end_offsets(bootstrap, topic)) == 3 for topic in outputs)
    assert plan(scene)["changes"] == 0
    with scene.engine() as engine:
        engine.until_ready()


def grow(scene: Scene, topic: str, partitions: int) -> None:
    """The input's owner adds partitions."""
    admin = AdminClient({"bootstrap.servers": scene.bootstrap, **QUIET})
    admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(CALL_S)


def test_the_input_is_never_grown_or_shrunk(bootstrap: str, tmp_path: Path) -> None:
    """Another number of partitions for an input that is there is told, and nothing happens."""
    scene = Scene(bootstrap, tmp_path, 3)
    apply(scene)
    for asked in ("2", "4"):
        said = plan(scene, "--partitions", asked)
        assert said["changes"] == 0
        assert [left["resource"] for left in said["left_alone"]] == [
            f"topic {scene.settings.input_topic}"
        ]
        apply(scene, "--partitions", asked)
    assert len(end_offsets(bootstrap, scene.settings.input_topic)) == 3


def test_retention_is_only_ever_raised(bootstrap: str, tmp_path: Path) -> None:
    """An input that forgets before its windows close keeps more; other settings stay."""
    scene = empty(bootstrap, tmp_path, WINDOW="1h", GRACE="1m")
    settings = scene.settings
    make_topic(bootstrap, settings.input_topic, 2, retention_ms="3600000", segment_ms="600000")
    done = changes(apply(scene))
    assert done[f"topic {settings.input_topic}"] == {"retention.ms": ("3600000", "604800000")}
    config = topic_config(bootstrap, settings.input_topic)
    assert (config["retention.ms"], config["segment.ms"]) == ("604800000", "600000")
    assert plan(scene, GRACE="0s")["changes"] == 0


def test_what_somebody_has_set_is_let_be(bootstrap: str, tmp_path: Path) -> None:
    """Settings that barengine does not speak of, and its own that somebody chose otherwise."""
    scene = Scene(bootstrap, tmp_path)
    settings = scene.settings
    scene.make_topic(settings.bar_topic, retention_ms="86400000", compression_type="zstd")
    make_topic(bootstrap, settings.state_topic, 1, min_insync_replicas="1", cleanup_policy="delete")
    before = {topic: topic_config(bootstrap, topic) for topic in (settings.bar_topic,)}

    said = plan(scene)
    assert f"topic {settings.bar_topic}" not in changes(said)
    [left] = said["left_alone"]
    assert left["resource"] == f"topic {settings.bar_topic}"
    assert "retention.ms is 86400000" in left["what"]

    assert apply(scene)["left_alone"] == [left]
    assert topic_config(bootstrap, settings.bar_topic) == before[settings.bar_topic]
    state = topic_config(bootstrap, settings.state_topic)
    assert (state["cleanup.policy"], state["min.insync.replicas"]) == ("compact", "1")
    assert state["segment.bytes"] == str(64 * 1024**2)
    assert infra(scene, "plan").code == DONE
    with scene.engine() as engine:
        engine.until_ready()


def test_a_change_behind_our_back_is_said_and_undone(bootstrap: str, tmp_path: Path) -> None:
    """The history tells what was applied before from what is new."""
    scene = Scene(bootstrap, tmp_path)
    apply(scene)
    alter(scene, scene.settings.state_topic, "cleanup.policy", "delete")
    said = infra(scene, "plan")
    assert said.code == TO_DO
    assert "and changed since" in said.out
    assert [*changes(apply(scene))] == [f"topic {scene.settings.state_topic}"]
    assert plan(scene)["changes"] == 0


def test_kill_9_after_any_step(bootstrap: str, tmp_path: Path) -> None:
    """Killed between any two steps, before the last one is remembered: the next apply goes on
    where that one was, and remembers all of it."""
    for steps in range(TOPICS):
        scene = empty(bootstrap, tmp_path)
        killed = start(scene, str(steps), "apply", command=("-m", "tests.infra.dies"))
        assert finish(killed).code == -9
        done = apply(scene)
        assert len(done["applied"]) == TOPICS - steps - 1
        assert done["skipped"] == steps + 1
        resources = [entry["resource"] for entry in history(scene)]
        assert len(resources) == len({*resources}) == TOPICS
    assert plan(scene)["changes"] == 0


def test_a_step_that_fails_ends_an_object_for_programs(bootstrap: str, tmp_path: Path) -> None:
    """They read what was done before it, and why it went no further; so do the metrics."""
    scene, path = empty(bootstrap, tmp_path), tmp_path / "infra.prom"
    apply(scene)
    more = ("--replication-factor", "99", "--metrics-file", str(path))
    said = infra(scene, "apply", "--json", *more, ROLLUPS="5m")
    assert said.code == MISCONFIGURED
    assert said.json["applied"] == []
    assert "cannot be made" in said.json["error"]
    assert said.json["error"] in said.err
    assert "barengine_migrations_last_run_timestamp_seconds" in path.read_text()
    assert apply(scene)["error"] is None


def test_no_default_of_the_cluster_takes_bars_away(small_broker: str, tmp_path: Path) -> None:
    """Topics of an engine that did not write it down are mended; new ones are made so."""
    scene = empty(small_broker, tmp_path)
    settings = scene.settings
    make_topic(small_broker, settings.bar_topic, 1, retention_ms="-1")
    done = changes(apply(scene, "--partitions", "1"))
    assert done[f"topic {settings.bar_topic}"] == {
        "cleanup.policy": ("compact", "delete"),
        "retention.bytes": ("1000000", "-1"),
    }
    for topic in (settings.bar_topic, settings.late_topic, settings.dead_topic):
        config = topic_config(small_broker, topic)
        kept = ("cleanup.policy", "retention.ms", "retention.bytes")
        assert [config[key] for key in kept] == ["delete", "-1", "-1"]
    assert plan(scene)["changes"] == 0


def test_two_at_the_same_time(bootstrap: str, tmp_path: Path) -> None:
    """Both end well, and what they leave is what one would have."""
    scene = empty(bootstrap, tmp_path)
    for said in map(finish, [start(scene, "apply") for _ in range(2)]):
        assert said.code == DONE, said
    assert plan(scene)["changes"] == 0
    assert {entry["sha256"] for entry in history(scene)} == {
        one["sha256"] for one in plan(scene)["right"]
    }


def test_metrics_of_a_run(bootstrap: str, tmp_path: Path) -> None:
    """A file for the textfile collector says what was applied and what was right."""
    scene, path = Scene(bootstrap, tmp_path), tmp_path / "infra.prom"
    for applied, skipped in ((TOPICS - 1, 1), (0, TOPICS)):
        apply(scene, "--metrics-file", str(path))
        values = {
            sample.name: sample.value
            for family in text_string_to_metric_families(path.read_text())
            for sample in family.samples
            if sample.labels.get("kind", "topic") == "topic"
        }
        assert values["barengine_migrations_applied_total"] == applied
        assert values["barengine_migrations_skipped_total"] == skipped
        assert values["barengine_migration_seconds_count"] == applied


def test_colours_are_for_terminals(
    bootstrap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan is coloured on a terminal, and plain text in a pipe."""
    scene = empty(bootstrap, tmp_path)
    assert "\x1b[" not in infra(scene, "plan").out
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    assert "\x1b[32m+ topic" in infra(scene, "plan").out


# -- a broker of its own ---------------------------------------------------------------------


@pytest.fixture
def small_broker() -> Iterator[str]:
    """Its topics are compacted and cut to a megabyte, where they do not say otherwise."""
    config = {"log.cleanup.policy": "compact", "log.retention.bytes": "1000000"}
    with LocalKafka(config=config) as broker:
        yield broker.bootstrap


@pytest.fixture
def late_broker(tmp_path: Path) -> Iterator[LocalKafka]:
    """A broker that is not up yet, and would forget new topics' records after a minute."""
    port = pick_free_port()
    broker = LocalKafka(port, config={"log.retention.ms": "60000"})
    yield broker
    broker.stop()


def test_a_broker_that_comes_late(late_broker: LocalKafka, tmp_path: Path) -> None:
    """Apply waits for it, says so, and then does all of it; also what only the new topic shows:
    that its cluster's default retention is too short."""
    scene = empty(late_broker.bootstrap, tmp_path)
    gave_up = infra(scene, "plan", "--wait", "500ms")
    assert gave_up.code == FAILED
    assert "waited" in gave_up.err

    waiting = start(scene, "apply", "--json")
    line = waiting.stderr.readline() if waiting.stderr else ""
    assert "waiting for Kafka" in line
    late_broker.start()
    said = finish(waiting)
    assert said.code == DONE, said
    assert plan(scene, GRACE="2m")["changes"] == 1
    apply(scene, GRACE="2m")
    config = topic_config(late_broker.bootstrap, scene.settings.input_topic)
    assert config["retention.ms"] == "604800000"

    other = empty(late_broker.bootstrap, tmp_path, GRACE="2m")
    done = changes(apply(other))
    assert done[f"topic {other.settings.input_topic}"] == {"retention.ms": ("60000", "604800000")}
    assert plan(other)["changes"] == 0


def test_acls_without_an_authorizer(bootstrap: str, tmp_path: Path) -> None:
    """Where everybody may do everything there is no right to give: it is told, once."""
    scene = Scene(bootstrap, tmp_path)
    done = apply(scene, "--acls", "--principal", "User:bars")
    [left] = done["left_alone"]
    assert "no authorizer" in left["what"]
    assert infra(scene, "apply", "--acls").code == MISCONFIGURED
