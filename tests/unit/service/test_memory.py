"""Memory that was freed stays for the next fetch."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import resource
from barengine.service.memory import keep_freed_memory

def faults_of_reuse():
    for _ in range(3):
        bytearray(4_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        bytearray(4_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

kept = keep_freed_memory()
print(int(kept), faults_of_reuse())
"""

PAGES = 20 * 4_000_000 // 4096


def test_freed_memory_is_used_again() -> None:
    """Blocks of a fetch's size cost no fresh pages after the first, where the library allows."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    kept, faults = map(int, done.stdout.split())
    assert faults < PAGES / 10 or not kept, done.stdout
