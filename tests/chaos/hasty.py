"""An engine whose transactions may take 3 s, not 15: ``python -m tests.chaos.hasty [STEP]``.

STEP is one of tests/broker/faults.py; without one it is the ordinary ``barengine run``.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from barengine.cli import main
from barengine.kafka.sink import TransactionalSink
from tests.broker import faults

TIMEOUT_MS: Final = 3000


def command(*step: str) -> tuple[str, ...]:
    """Arguments of the Python interpreter that run such an engine."""
    return ("-m", "tests.chaos.hasty", *step)


if __name__ == "__main__":
    init: Any = TransactionalSink.__init__
    init.__defaults__ = (*init.__defaults__[:-1], TIMEOUT_MS)
    for name in sys.argv[1:]:
        faults.STEPS[name]()
    sys.exit(main(["run"]))
