"""``barengine infra`` where it needs no cluster: what it prints for others, and what it refuses."""

from __future__ import annotations

import json
import shlex

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.cli.test_main import code_of

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there: what needs a cluster would fail."""
    monkeypatch.setenv("BARENGINE_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("BARENGINE_CONTEXT", "trading")


def test_resources_for_strimzi(capsys: Captured) -> None:
    """YAML on standard output and nothing else, without asking any cluster; the input is somebody
    else's, unless the number of its partitions says that it is to be made."""
    options = ("--partitions", "6", "--replication-factor", "3", "--strimzi-cluster", "prod")
    assert code_of("infra", "plan", "--output", "strimzi", *options) == 0
    found = [*yaml.safe_load_all(capsys.readouterr().out)]
    assert [one["kind"] for one in found] == [*["KafkaTopic"] * 5, "KafkaUser"]
    assert {one["spec"].get("partitions") for one in found} == {6, None}
    assert code_of("infra", "plan", "--output", "strimzi") == 0
    names = [one["spec"].get("topicName") for one in yaml.safe_load_all(capsys.readouterr().out)]
    assert len(names) == 5
    assert "trading.ticks" not in names


def test_statements_for_ksqldb(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream and a table over the bars of the context."""
    monkeypatch.setenv("BARENGINE_SCHEMA_REGISTRY_URL", "http://127.0.0.1:1")
    assert code_of("infra", "plan", "--output", "ksqldb") == 0
    said = capsys.readouterr().out
    assert said.count(";\n") == said.count("KAFKA_TOPIC = 'trading.bar_1m'") == 2


def test_commands_for_rights(capsys: Captured) -> None:
    """One ``kafka-acls.sh`` a line, for whom it was asked."""
    assert code_of("infra", "plan", "--output", "acls", "--principal", "User:CN=bars") == 0
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert {line[0] for line in lines} == {"kafka-acls.sh"}
    assert {line[line.index("--allow-principal") + 1] for line in lines} == {"User:CN=bars"}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("plan", "--output", "ksqldb"), "BARENGINE_SCHEMA_REGISTRY_URL"),
        (("plan", "--acls"), "write --principal User:NAME"),
        (("apply", "--acls"), "write --principal User:NAME"),
        (("plan", "--output", "acls", "--principal", "bars"), "User:bars"),
        (("apply", "--acls", "--principal", "bars"), "User:bars"),
        (("plan", "--output", "strimzi", "--json"), "remove one"),
        (("plan", "--output", "strimzi", "--principal", "User:A_b"), "--principal User:A_b"),
        (("apply", "--json", "--metrics-file", "-"), "--metrics-file -"),
        (("plan", "--wait", "soon"), "--wait soon"),
        (("apply", "--ksqldb-url", "ksqldb"), "--ksqldb-url ksqldb"),
        (("plan", "--config", "/nowhere.yaml"), "/nowhere.yaml"),
    ],
    ids=" ".join,
)
def test_what_cannot_work_is_2(words: tuple[str, ...], complaint: str, capsys: Captured) -> None:
    """A configuration error names what was written, and what to write."""
    assert code_of("infra", *words) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_without_a_broker_it_is_1(command: str, capsys: Captured) -> None:
    """It waits as long as it was told, says for whom, and has then failed."""
    assert code_of("infra", command, "--wait", "200ms") == 1
    said = capsys.readouterr()
    assert "127.0.0.1:1" in said.err
    assert said.out == ""


def test_a_failed_apply_is_an_object_for_programs_too(capsys: Captured) -> None:
    """They read what was done, and why it went no further."""
    assert code_of("infra", "apply", "--json", "--wait", "200ms") == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["context"], said["applied"], said["skipped"]) == ("trading", [], 0)
    assert "127.0.0.1:1" in said["error"]


def test_metrics_on_the_output(capsys: Captured) -> None:
    """Where no file can be written a log has them, in the format that Prometheus reads."""
    assert code_of("infra", "apply", "--metrics-file", "-", "--wait", "200ms") == 1
    [family] = (
        family
        for family in text_string_to_metric_families(capsys.readouterr().out)
        if family.name == "barengine_migrations_applied"
    )
    assert {sample.value for sample in family.samples} == {0.0}
