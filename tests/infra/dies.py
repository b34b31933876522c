"""``barengine infra`` that is killed after so many steps, before it can remember the last one.

Run as ``python -m tests.infra.dies STEPS plan|apply ...``.
"""

from __future__ import annotations

import os
import signal
import sys

from barengine.cli import main
from barengine.infra.history import Entry, History


def _die_after(steps: int) -> None:
    write, left = History.write, [steps]

    async def dying(self: History, entry: Entry) -> None:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        await write(self, entry)

    History.write = dying  # type: ignore[method-assign]  # the probe is what this program is for


if __name__ == "__main__":
    _die_after(int(sys.argv[1]))
    sys.exit(main(["infra", *sys.argv[2:]]))
