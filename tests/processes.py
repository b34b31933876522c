"""Waiting for what other processes do, with a bound and without a busy loop."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

PATIENCE_S = 60.0  # generous: it ends a test that has failed, and no rule depends on it


def eventually(condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def is_gone(pid: int) -> bool:
    """Whether the process has ended (one that nobody has waited for yet has ended, too)."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
