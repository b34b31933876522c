"""Rights that are taken away under way, and given back: every one that the engine needs for its
work. To see the settings of topics is asked for at the start alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from barengine.kafka.local import LocalKafka
from barengine.kafka.local_net import HOST, pick_free_port
from tests.broker.mend import state
from tests.broker.records import Record
from tests.broker.rights import Clerk, rights
from tests.broker.scene import Scene
from tests.broker.test_denied import config as asking
from tests.broker.ticks import SECOND, START_MS, spread, tick
from tests.chaos.forms import cases
from tests.chaos.storm import Chaos

SYMBOLS: Final = 50
MISCONFIGURED: Final = 2
PASSWORD: Final = "nobody-secret"
USER: Final = {
    "SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "SASL_MECHANISM": "PLAIN",
    "SASL_USERNAME": "nobody",
    "SASL_PASSWORD": PASSWORD,
    "AUTO_CREATE_TOPICS": "off",
}


class Guarded(NamedTuple):
    """A broker that asks who you are: on its plain port nobody needs a right, on the other one
    everybody does."""

    bootstrap: str
    door: str


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    """A broker with both ports."""
    plain = pick_free_port()
    sasl = pick_free_port(plain)
    with LocalKafka(plain, config=asking(plain, sasl, pick_free_port(plain, sasl))) as broker:
        yield Guarded(broker.bootstrap, f"{HOST}:{sasl}")


LOST: Final = {
    "write bars": "bar_1s",
    "write state": "state",
    "write late": "tick_late",
    "write dead": "tick_dead",
    "use the transactional id": "barengine|ticks|0",
    "read ticks": "ticks",
    "be in the group": "barengine",
    "read state": "state",
}
"""Those that are missed under way, and what the error must name."""

WRITING: Final = tuple(LOST)[:5]
"""Without these nothing more may leave; without the others what was read leaves at a clean end."""

LETTERS: Final = {
    "write late": tick("b", "S0", 0),
    "write dead": Record(b"no tick", None, 0, START_MS),
}
"""Comes before the other ticks where only a letter needs the right; is late by then, or dead."""


@pytest.mark.parametrize("name", cases(LOST, short="write bars"))
def test_right_is_lost(name: str, guarded: Guarded, chaos: Chaos, tmp_path: Path) -> None:
    """An engine that may not go on says what it may not, ends, and goes on when it may again."""
    scene = Scene(guarded.bootstrap, tmp_path, settings=USER | {"BOOTSTRAP_SERVERS": guarded.door})
    for topic in ("bar_topic", "late_topic", "dead_topic"):
        scene.make_topic(getattr(scene.settings, topic))
    scene.make_topic(scene.settings.state_topic, cleanup_policy="compact")
    needed, clerk = rights(scene), Clerk(scene)
    clerk.grant(*needed.values())
    with ExitStack() as others, scene.engine() as engine:
        engine.until_ready()
        scene.produce(spread("b", SYMBOLS, 0, 3 * SECOND, 250))
        scene.until_bars(engine, 3 * SYMBOLS)
        clerk.revoke(needed[name])
        scene.produce([LETTERS[name]] if name in LETTERS else [])
        # later than all silence until then
        scene.produce(spread("b", SYMBOLS, 100 * SECOND, 103 * SECOND, 250))
        if name == "read state":  # nobody looks at it but after a rebalance
            others.enter_context(scene.engine())
        assert engine.exit_code() == MISCONFIGURED, engine.tail()
        said = engine.text()
    last_words = "\n".join(line for line in said.splitlines() if not line.startswith("{"))
    assert "the broker denies it" in last_words
    assert LOST[name] in last_words
    assert "Traceback" not in said
    assert PASSWORD not in said
    before = len(scene.bar_records())
    assert before == 3 * SYMBOLS or name not in WRITING

    with scene.engine() as again:
        assert again.exit_code() == MISCONFIGURED, again.tail()
    assert len(scene.bar_records()) == before

    clerk.grant(needed[name])
    with scene.engine() as last:
        report = scene.finish(last, late=name == "write late", dead=name == "write dead")
    assert report.bars_exact == 6 * SYMBOLS
    # the commands need no other rights
    assert "goes on at offset" in state(scene, "reset", "--to", "latest", "--yes")
    chaos.add(f"lost the right to {name}", 1, report)
