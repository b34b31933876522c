"""``barengine run`` that may not write one byte to a file: ``python -m tests.broker.diskless``.

What it says goes through a pipe to ``cat``, which was started before the limit.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys

if __name__ == "__main__":
    reading, writing = os.pipe()
    with subprocess.Popen(["cat"], stdin=reading) as _:
        os.close(reading)
        os.dup2(writing, sys.stdout.fileno())
        os.dup2(writing, sys.stderr.fileno())
        os.close(writing)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        os.execv(sys.executable, [sys.executable, "-B", "-m", "barengine", "run"])
