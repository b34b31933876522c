from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
import uvloop

from barengine.cli.loop import run_async


def test_commands_run_in_uvloop() -> None:
    """The loop is the fast one, and what the coroutine returns is returned."""

    async def work() -> bool:
        return isinstance(asyncio.get_running_loop(), uvloop.Loop)

    assert run_async(work()) is True


def test_an_error_passes_through() -> None:
    """What the coroutine raises is raised."""

    async def work() -> None:
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        run_async(work())


def test_ctrl_c_cancels_and_lets_clean_up() -> None:
    """An interrupt ends the coroutine by cancellation, so that its ``finally`` runs."""
    script = """
import asyncio, os, signal
from barengine.cli.loop import run_async

async def work():
    asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGINT)
    try:
        await asyncio.sleep(60)
    finally:
        print("cleaned up")

try:
    run_async(work())
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines() == ["cleaned up", "interrupted"], done.stderr
