"""Two contexts side by side in one Kafka, alike in everything but their names."""

from __future__ import annotations

import struct
import uuid
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka.admin import AdminClient

from tests.broker.records import CALL_S, QUIET, read_messages
from tests.broker.scene import LONG_SESSION, Scene
from tests.broker.ticks import SECOND, spread
from tests.infra.commands import HISTORY, apply, history, infra

NAMES: Final = ("trading", "analytics")
PARTITIONS: Final = 2
TRANSACTIONS: Final = "__transaction_state"

_TEXT: Final = struct.Struct(">hh")
"""Version and length before a transactional id, in a key of the topic where brokers keep them."""


@pytest.fixture
def scenes(bootstrap: str, tmp_path: Path) -> list[Scene]:
    """Both, made by infra at the same settings: group, topics and instance have the same names."""
    run = uuid.uuid4().hex[:6]
    given = {"AUTO_CREATE_TOPICS": "off", "GROUP_INSTANCE_ID": "one"} | LONG_SESSION
    both = []
    for name in NAMES:
        settings = {**given, "CONTEXT": f"{name}-{run}"}
        both.append(Scene(bootstrap, tmp_path, PARTITIONS, settings, make_input=False))
    return both


def transactional_ids(bootstrap: str) -> set[str]:
    """Every id that a producer of this broker has used."""
    keys = [message.key() for message in read_messages(bootstrap, TRANSACTIONS)]
    return {key[_TEXT.size :].decode() for key in keys}


def test_two_contexts_never_meet(bootstrap: str, scenes: list[Scene]) -> None:
    """Topics, groups, transactional ids, state, history and metrics are each one's own, and the
    bars of each are exact, also while the other one dies and comes again."""
    done = [apply(scene, "--partitions", str(PARTITIONS)) for scene in scenes]
    assert [len(each["applied"]) for each in done] == [6, 6]
    trading, analytics = scenes
    trading.produce(spread("b", 4, 0, 3 * SECOND, 250, PARTITIONS))
    analytics.produce(spread("b", 6, 0, 5 * SECOND, 200, PARTITIONS))

    with trading.engine() as one, analytics.engine() as other:
        one.until_ready()
        other.until_ready()
        trading.until_bars(one, 12)
        one.kill9()
        with trading.engine() as again:
            again.until_ready()
            # later than all silence until then, of nobody being there, too
            trading.produce(spread("b", 4, 100 * SECOND, 103 * SECOND, 250, PARTITIONS))
            trading.until_bars(again, 24)
            analytics.until_bars(other, 30)
            for scene, engine, name in zip(scenes, (again, other), NAMES, strict=True):
                context = scene.settings.context
                assert context.startswith(name)
                assert engine.metric("barengine_ticks_total", context=context) > 0
                assert engine.metric("barengine_ticks_total") == engine.metric(
                    "barengine_ticks_total", context=context
                )
            assert other.metric("barengine_transactions_total", outcome="fenced") == 0
            assert other.metric("barengine_rebalances_total") == 1
            assert trading.finish(again).bars_exact == 24
            assert analytics.finish(other).bars_exact == 30
    _nothing_in_common(bootstrap, scenes)


def _nothing_in_common(bootstrap: str, scenes: list[Scene]) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
    topics = set(admin.list_topics(timeout=CALL_S).topics)
    groups = {one.group_id for one in admin.list_consumer_groups().result(CALL_S).valid}
    ids = transactional_ids(bootstrap)
    for scene in scenes:
        settings, context = scene.settings, scene.settings.context
        outputs = {settings.bar_topic, settings.late_topic, settings.dead_topic}
        own = outputs | {settings.input_topic, settings.state_topic, f"{context}.{HISTORY}"}
        assert {topic for topic in topics if context in topic} == own
        assert {group for group in groups if context in group} == {f"{context}.barengine"}
        assert {one for one in ids if context in one} == {
            f"{context}|barengine|ticks|{partition}" for partition in range(PARTITIONS)
        }
        assert all(context in entry["resource"] for entry in history(scene))
        stored = [scene.state(partition).partition for partition in range(PARTITIONS)]
        assert all(state is not None for state in stored)


def test_infra_of_one_context_does_not_see_the_other(scenes: list[Scene]) -> None:
    """What one has applied is nothing to the other: its own plan is still to do."""
    trading, analytics = scenes
    apply(trading)
    assert infra(trading, "plan").code == 0
    said = infra(analytics, "plan")
    assert said.code == 3
    assert "6 to do" in said.out
    assert trading.settings.context not in said.out
