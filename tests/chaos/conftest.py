"""A real broker, as for the tests in ``tests/broker``, the dice, and the summary table."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from barengine.kafka.local import LocalKafka
from tests.broker.conftest import bootstrap as bootstrap
from tests.broker.conftest import kafka_broker as kafka_broker
from tests.broker.proxy import Proxy, behind
from tests.chaos.storm import Chaos
from tests.chaos.table import Row, markdown

ROWS: Final = pytest.StashKey[list[Row]]()
FULL: Final = "full"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and begin the table."""
    config.addinivalue_line("markers", f"{FULL}: only with --chaos=full")
    config.stash[ROWS] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what belongs to the full form alone."""
    if config.getoption("--chaos") == FULL:
        return
    left_out = [item for item in items if item.get_closest_marker(FULL)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table, and write it down if asked to."""
    rows = config.stash[ROWS]
    if not rows:
        return
    lines = markdown(rows)
    terminalreporter.section("chaos")
    terminalreporter.write("\n".join([*lines, ""]))
    file = config.getoption("--chaos-table")
    if file:
        Path(file).write_text("\n".join([*lines, ""]), encoding="utf-8")


@pytest.fixture
def seed() -> int:
    """A new one for each test, or ``CHAOS_SEED``; in the output of a test that fails, too."""
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(10**6))
    print(f"CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it beside a failure
    return seed


@pytest.fixture
def chaos(request: pytest.FixtureRequest, seed: int, tmp_path: Path) -> Chaos:
    """What a chaos test needs; tests/chaos/storm.py tells how to use it."""

    def shared() -> str:
        """Only a test without a broker of its own starts the shared one."""
        bootstrap: str = request.getfixturevalue("bootstrap")
        return bootstrap

    full = request.config.getoption("--chaos") == FULL
    return Chaos(full, seed, shared, tmp_path, request.config.stash[ROWS])


@pytest.fixture
def network(seed: int) -> Iterator[tuple[LocalKafka, Proxy]]:
    """A broker of the test's own, and the only way to it that engines should be told of."""
    # transactions are aborted as soon as their time is up, not within 10 s
    config = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "200"}
    with behind(random.Random(seed), config) as both:
        yield both
