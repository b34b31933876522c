"""Topics as they shall be against topics as they are: what is a step, what is left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from barengine.infra.topics import Sizes, as_resource, desired
from barengine.kafka.topic import Role
from barengine.service.wanted import suggested_input, wanted
from tests.unit.infra.build import found, made, only_change, settings, spec_of, unset

DAY_MS = 86_400_000


def test_infra_and_the_service_want_the_same_topics() -> None:
    """What AUTO_CREATE_TOPICS makes is what infra makes, and the history besides."""
    given = settings(CONTEXT="trading")
    source = suggested_input(given)
    specs = desired(given, Sizes(), source)
    assert specs[2:] == wanted(given, source)
    assert [spec.role for spec in specs[:2]] == [Role.HISTORY, Role.INPUT]
    assert [spec.name for spec in specs] == [
        "trading._barengine_migrations",
        "trading.ticks",
        "trading.bar_1m",
        "trading.tick_late",
        "trading.tick_dead",
        "trading.barengine.trading.ticks.state",
    ]


def test_sizes_are_those_of_the_command() -> None:
    """Partitions of a new input spread to all topics but the history, replicas to all."""
    specs = desired(settings(), Sizes(12, 3))
    assert [spec.partitions for spec in specs] == [1, 12, 12, 12, 12, 12]
    assert {spec.replication_factor for spec in specs} == {3}


def test_outputs_follow_the_input_that_is_there() -> None:
    """An input that exists decides on the partitions of the others, and on their largest record."""
    given = settings()
    source = replace(suggested_input(given, 7), config={"max.message.bytes": "5000000"})
    specs = desired(given, Sizes(), source)
    assert {spec.partitions for spec in specs[1:]} == {7}
    late = next(spec for spec in specs if spec.role is Role.LETTERS)
    assert late.config["max.message.bytes"] == str(5_000_000 + 64 * 1024)


def test_a_topic_that_is_missing_is_a_step() -> None:
    """It shows everything that it will be made with."""
    spec = spec_of(settings(), Role.BARS)
    [step] = found(settings(), spec, None).steps
    assert step.new
    assert [(change.key, change.have, change.want) for change in step.changes] == [
        ("partitions", None, "4"),
        ("cleanup.policy", None, "delete"),
        ("retention.ms", None, "-1"),
        ("retention.bytes", None, "-1"),
        ("message.timestamp.after.max.ms", None, str(2**63 - 1)),
    ]


@pytest.mark.parametrize("role", Role)
def test_a_topic_as_it_was_made_is_right(role: Role) -> None:
    """What apply makes is never a difference afterwards."""
    given = settings(
        LIVE="1s", SCHEDULE="topic:markets", CONTINUOUS="1m", FEED_HEARTBEATS="heartbeats"
    )
    spec = spec_of(given, role)
    findings = found(given, spec, made(spec))
    assert findings.right == [as_resource(spec)]
    assert not findings.steps
    assert not findings.left_alone


def test_settings_that_nobody_spoke_of_are_not_even_told() -> None:
    """Somebody's own settings beside ours are theirs."""
    spec = spec_of(settings(), Role.BARS)
    foreign = made(spec, compression_type="zstd", min_insync_replicas="2")
    assert found(settings(), spec, foreign).right


def test_a_retention_that_somebody_chose_is_left_alone() -> None:
    """A topic's own value differs from ours and works: it is told, with the command."""
    spec = spec_of(settings(), Role.BARS)
    findings = found(settings(), spec, made(spec, retention_ms="86400000"))
    assert not findings.steps
    [left] = findings.left_alone
    assert "retention.ms is 86400000" in left.what
    assert "--add-config retention.ms=-1" in left.way_out


def test_a_default_of_the_cluster_is_nobody_s_choice() -> None:
    """The same value as a mere default is changed."""
    spec = spec_of(settings(), Role.BARS)
    change = only_change(found(settings(), spec, unset(made(spec), retention_ms="86400000")))
    assert change[:3] == ("retention.ms", "86400000", "-1")


@pytest.mark.parametrize(
    ("role", "key", "default", "want"),
    [
        (Role.BARS, "retention.bytes", "1073741824", "-1"),
        (Role.BARS, "cleanup.policy", "compact", "delete"),
        (Role.LETTERS, "retention.bytes", "1073741824", "-1"),
    ],
)
def test_bars_and_letters_stay_whatever_the_cluster_s_defaults(
    role: Role, key: str, default: str, want: str
) -> None:
    """A limit of size deletes what shall stay for ever, compaction bars of the same key; one that
    somebody put on the topic is theirs."""
    spec = spec_of(settings(), role)
    name = key.replace(".", "_")
    assert spec.config[key] == want
    change = only_change(found(settings(), spec, unset(made(spec), **{name: default})))
    assert change[:3] == (key, default, want)
    [left] = found(settings(), spec, made(spec, **{name: default})).left_alone
    assert f"{key} is {default}" in left.what


@pytest.mark.parametrize(
    ("role", "own", "change"),
    [
        (Role.STATE, {"cleanup_policy": "delete"}, ("cleanup.policy", "delete", "compact")),
        (Role.STATE, {"max_message_bytes": "9"}, ("max.message.bytes", "9", "1000000")),
        (Role.HISTORY, {"cleanup_policy": "delete"}, ("cleanup.policy", "delete", "compact")),
        (Role.LETTERS, {"max_message_bytes": "9"}, ("max.message.bytes", "9", "1114124")),
        (Role.LETTERS, {"cleanup_policy": "compact"}, ("cleanup.policy", "compact", "delete")),
        (
            Role.LETTERS,
            {"cleanup_policy": "compact,delete"},
            ("cleanup.policy", "compact,delete", "delete"),
        ),
        (
            Role.BARS,
            {"message_timestamp_after_max_ms": "60000"},
            ("message.timestamp.after.max.ms", "60000", str(2**63 - 1)),
        ),
    ],
)
def test_what_the_engine_cannot_work_with_is_changed(
    role: Role, own: dict[str, str], change: tuple[str, str, str]
) -> None:
    """Even where somebody chose it: the engine would refuse to start, or cut letters."""
    spec = spec_of(settings(), role)
    found_change = only_change(found(settings(), spec, made(spec, **own)))
    assert found_change[:3] == change
    assert found_change.why


def test_more_than_needed_is_right() -> None:
    """A limit above what is needed stays, without a word."""
    spec = spec_of(settings(), Role.LETTERS)
    roomy = made(spec, max_message_bytes="9999999", message_timestamp_after_max_ms="7200000")
    assert found(settings(), spec, roomy).right


def test_a_setting_that_the_broker_does_not_know_is_no_difference() -> None:
    """Brokers before 3.6 have no limit for timestamps ahead, and none can be set."""
    spec = spec_of(settings(), Role.BARS)
    info = made(spec)
    config = {key: value for key, value in info.config.items() if "timestamp" not in key}
    assert found(settings(), spec, replace(info, config=config)).right


def test_a_new_topic_gets_no_setting_that_the_broker_does_not_know() -> None:
    """Brokers before 3.6 would refuse it; any topic of theirs shows what they know."""
    given = settings()
    key = "message.timestamp.after.max.ms"
    old = made(spec_of(given, Role.HISTORY), max_message_bytes="1048588")
    assert key not in old.config
    assert not [spec for spec in desired(given, Sizes(), like=old) if key in spec.config]
    new = replace(old, config={**old.config, key: "3600000"})
    assert [spec for spec in desired(given, Sizes(), like=new) if key in spec.config]


# -- partitions ------------------------------------------------------------------------------


def test_too_few_partitions_become_more() -> None:
    """Every output gets at least as many as the input has."""
    spec = spec_of(settings(), Role.STATE)
    change = only_change(found(settings(), spec, replace(made(spec), partitions=3)))
    assert change[:3] == ("partitions", "3", "4")


def test_too_many_partitions_stay() -> None:
    """Nothing is taken away: it is told."""
    spec = spec_of(settings(), Role.BARS)
    findings = found(settings(), spec, replace(made(spec), partitions=9))
    assert not findings.steps
    assert "has 9 partitions, more than 4" in findings.left_alone[0].what


@pytest.mark.parametrize(("have", "said"), [(3, "cut in two"), (9, "more than 4")])
def test_the_input_keeps_its_partitions(have: int, said: str) -> None:
    """More would send a series elsewhere, less is impossible: both are told only."""
    spec = spec_of(settings(), Role.INPUT, Sizes(4))
    findings = found(settings(), spec, replace(made(spec), partitions=have))
    assert not findings.steps
    assert said in findings.left_alone[0].what


def test_another_replication_factor_is_told() -> None:
    """Moving replicas is a matter of minutes to days, and of the cluster's owner."""
    spec = spec_of(settings(), Role.BARS, Sizes(replication_factor=3))
    [left] = found(settings(), spec, made(spec)).left_alone
    assert "replication factor 1, 3 is asked for" in left.what


# -- what the input keeps --------------------------------------------------------------------


def test_a_retention_shorter_than_open_windows_is_raised() -> None:
    """Ticks of open windows are read again after a crash: they must be there."""
    given = settings(WINDOW="1h", GRACE="5m")
    spec = spec_of(given, Role.INPUT)
    change = only_change(found(given, spec, made(spec, retention_ms=str(3_899_999))))
    assert change[:3] == ("retention.ms", "3899999", str(7 * DAY_MS))
    assert "3900000 ms" in change.why


@pytest.mark.parametrize("enough", ["3900000", "-1"])
def test_a_retention_that_is_enough_stays(enough: str) -> None:
    """It is never changed down, and unlimited is the most there is."""
    given = settings(WINDOW="1h", GRACE="5m")
    spec = spec_of(given, Role.INPUT)
    assert found(given, spec, made(spec, retention_ms=enough)).right


def test_a_long_grace_asks_for_more_than_a_week() -> None:
    """What mends a retention is twice what is needed, and a week at least."""
    given = settings(WINDOW="1m", GRACE="30d")
    spec = spec_of(given, Role.INPUT)
    change = only_change(found(given, spec, made(spec, retention_ms="60000")))
    assert change.want == str(2 * (30 * DAY_MS + 60_000))


@pytest.mark.parametrize(
    "own",
    [{"retention_bytes": "1000000"}, {"cleanup_policy": "compact"}],
    ids=["size", "compaction"],
)
def test_an_input_that_forgets_otherwise_is_told(own: dict[str, str]) -> None:
    """How the producer's topic forgets is not ours to change, and may cost ticks."""
    spec = spec_of(settings(), Role.INPUT)
    findings = found(settings(), spec, made(spec, **own))
    assert not findings.steps
    [left] = findings.left_alone
    assert "ticks" in left.what
    assert "kafka-configs.sh" in left.way_out
