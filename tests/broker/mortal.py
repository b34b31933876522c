"""Becomes another program that ends when whoever asked for it ends, ``kill -9`` included (Linux).

Usage: ``mortal.py PID COMMAND...``, PID being the asker's. For a process that a time-out ends
without a word, and that cannot see to those it has started. Started as a plain file in an
interpreter without site packages, so it imports the standard library alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2); it outlives exec


def main() -> None:
    asker, *command = sys.argv[1:]
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != int(asker):  # it ended before the line above
            sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
