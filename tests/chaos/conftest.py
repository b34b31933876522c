"""A real broker, as for the tests in ``tests/broker``, and the dice."""

import os
import random

import pytest

from tests.broker.conftest import bootstrap as bootstrap
from tests.broker.conftest import kafka_broker as kafka_broker


@pytest.fixture
def seed() -> int:
    """A new one for each test, or ``CHAOS_SEED``; in the output of a test that fails, too."""
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(10**6))
    print(f"CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it beside a failure
    return seed
