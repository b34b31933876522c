"""What every test shares."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings

# No deadline: a slow machine proves nothing about a rule. In CI the examples are the same every
# time, so that a red run is about the change; at home they are new ones every time.
settings.register_profile("home", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "home")

# A shell that starts the tests in the background has SIGINT ignored, and processes inherit that:
# those that a test interrupts would not hear it. A handler is not inherited, the default is.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The chaos suite's options: pytest knows only those that are here."""
    group = parser.getgroup("chaos", "chaos tests; CHAOS_SEED repeats a run's decisions")
    group.addoption("--chaos", choices=("short", "full"), default="short", help="how many faults")
    group.addoption("--chaos-table", metavar="FILE", help="write the summary table there")
