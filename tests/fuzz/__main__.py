"""Fuzz until so many pieces of input have been through: ``python -m tests.fuzz SEED INPUTS``.

The last line printed names the round that ran; ``python -m tests.fuzz SEED 1 TARGET ROUND`` runs
that one alone. ``FUZZ_PACKAGE`` is the folder to take ``barengine`` from.
"""

from __future__ import annotations

import faulthandler
import os
import sys
from pathlib import Path
from random import Random
from typing import Final

HANGS_S: Final = 120
"""A round takes milliseconds; one that takes this long never ends."""

WEIGHTS: Final = {
    "values": 8,
    "schemas": 5,
    "batches": 20,
    "fetches": 10,
    "broken_schemas": 4,
    "json_values": 1,
    "state": 1,
    "pages": 2,
}
"""Rounds of each target in turn; one of ``values`` or ``schemas`` is 500 inputs, others fewer."""


def fuzz(seed: str, inputs: int) -> dict[str, int]:
    """Run the targets in turn; inputs by target."""
    from tests.fuzz.targets import TARGETS

    done = dict.fromkeys(TARGETS, 0)
    number = 0
    while sum(done.values()) < inputs:
        for name, weight in WEIGHTS.items():
            for _ in range(weight):
                number += 1
                done[name] += one_round(seed, name, number)
    return done


def one_round(seed: str, name: str, number: int) -> int:
    """One round, which its three arguments decide wholly; how many inputs it had."""
    from tests.fuzz.targets import TARGETS

    faulthandler.dump_traceback_later(HANGS_S, exit=True)
    print(name, number, flush=True)  # noqa: T201 - the last line says where it ended
    done = TARGETS[name](Random(f"{seed} {name} {number}"))
    faulthandler.cancel_dump_traceback_later()
    return done


def main() -> None:
    """See the top."""
    package = os.environ.get("FUZZ_PACKAGE")
    if package:
        sys.path.insert(0, package)
    import barengine

    assert package is None or Path(barengine.__file__).is_relative_to(package), barengine
    seed, inputs, *one = sys.argv[1:]
    if one:
        one_round(seed, one[0], int(one[1]))
        return
    for name, count in fuzz(seed, int(inputs)).items():
        print(f"{name}: {count} inputs")  # noqa: T201 - its product


if __name__ == "__main__":
    main()
