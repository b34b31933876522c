"""What runs in barengine's own environment: the usual loop, and reading alone."""

from __future__ import annotations

import sys
from functools import partial
from typing import Final

from benchmarks.contender import Command, Contender, Job
from benchmarks.program import arguments


def command(module: str, job: Job) -> Command:
    """One of the modules beside this one, as a process."""
    return Command([sys.executable, "-m", f"benchmarks.contenders.{module}", *arguments(job)])


LOOP: Final = Contender(
    "plain loop",
    "none after a crash: bars go missing or wrong",
    partial(command, "plain_loop"),
    notes="aiokafka, fastavro, a dict; bars and offsets in one transaction every 1 s, "
    "open windows in memory only",
)

READING_AIOKAFKA: Final = Contender(
    "reading: aiokafka",
    "reads only",
    partial(command, "raw_aiokafka"),
    notes="getmany, nothing is parsed",
    decode=None,
)

READING_LIBRDKAFKA: Final = Contender(
    "reading: librdkafka",
    "reads only",
    partial(command, "raw_librdkafka"),
    notes="confluent-kafka, tuned, nothing is parsed",
    decode=None,
)
