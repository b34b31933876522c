"""What a plan says, to eyes and to programs."""

from __future__ import annotations

import json

from barengine.infra.apply import Plan
from barengine.infra.history import Entry
from barengine.infra.model import Findings
from barengine.infra.show import plan_json, plan_lines
from barengine.kafka.topic import Role
from tests.unit.infra.build import found, made, settings, spec_of, unset


def findings() -> Findings:
    """A new topic, one that changes, one that is left alone and one that is right."""
    given = settings()
    bars, state = spec_of(given, Role.BARS), spec_of(given, Role.STATE)
    late, history = spec_of(given, Role.LETTERS), spec_of(given, Role.HISTORY)
    all_of_it = found(given, bars, None)
    all_of_it += found(given, state, unset(made(state), segment_bytes="1073741824"))
    all_of_it += found(given, late, made(late, retention_ms="86400000"))
    all_of_it += found(given, history, made(history))
    return all_of_it


def test_the_difference_as_lines() -> None:
    """New, changed and left alone have marks of their own; the last line counts."""
    lines = [line.text for line in plan_lines(Plan(findings(), {}))]
    assert lines == [
        "+ topic bar_1m  (bars of 1m)",
        "    + partitions: 4",
        "    + cleanup.policy: delete",
        "    + retention.ms: -1",
        "    + retention.bytes: -1",
        "    + message.timestamp.after.max.ms: 9223372036854775807",
        "~ topic barengine.ticks.state  (what a restart needs to know beside the input)",
        "    - segment.bytes: 1073741824",
        "    + segment.bytes: 67108864",
        "! topic tick_late: retention.ms is 86400000, set by somebody; barengine would set -1",
        "    left alone; kafka-configs.sh --bootstrap-server localhost:9092 --alter "
        "--entity-type topics --entity-name tick_late --add-config retention.ms=-1",
        "2 to do: barengine infra apply does it, 1 left alone; 1 as they shall be",
    ]


def test_what_was_applied_and_changed_since_is_said() -> None:
    """The history tells a change behind our back from one that is new."""
    resource = findings().steps[1].resource
    entry = Entry.of(resource, found=False)
    lines = [line.text for line in plan_lines(Plan(findings(), {resource.id: entry}))]
    assert lines[7] == f"    applied on {entry.applied_at}, and changed since"


def test_nothing_to_do_is_one_line() -> None:
    """And no more."""
    assert [line.text for line in plan_lines(Plan(Findings(), {}))] == [
        "nothing to do; 0 as they shall be"
    ]


def test_the_same_for_programs() -> None:
    """Everything that the lines say, and the hash that the history remembers."""
    resource = findings().right[0]
    entry = Entry.of(resource, found=False)
    said = json.loads(json.dumps(plan_json(Plan(findings(), {resource.id: entry}))))
    assert said["changes"] == 2
    assert [(step["kind"], step["name"], step["new"]) for step in said["steps"]] == [
        ("topic", "bar_1m", True),
        ("topic", "barengine.ticks.state", False),
    ]
    assert said["steps"][1]["changes"] == [
        {"key": "segment.bytes", "have": "1073741824", "want": "67108864", "why": ""}
    ]
    assert said["left_alone"][0]["resource"] == "topic tick_late"
    assert said["right"][0]["sha256"] == resource.sha256
    assert said["right"][0]["applied_at"] == entry.applied_at
