"""barengine as a contender: how it is started, and how its bars are read."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from functools import partial
from typing import Any, Final

import fastavro

from barengine.codec.bar import bar_schema
from benchmarks.contender import GRACE_MS, Command, Contender, Job
from benchmarks.load import Bar, schema_path
from benchmarks.ticks import UNITS

_PRICE_SCALE: Final = 9
_BASE: Final = "1m"
"""Period of the bars that are asked for; a job's output topic ends with it."""

_SCHEMA: Final = fastavro.parse_schema(bar_schema(_PRICE_SCALE))


def command(job: Job, kernel: str = "compiled", rollups: str = "") -> Command:
    """The program beside this one as a process, with settings for the job."""
    settings = {
        "BOOTSTRAP_SERVERS": job.bootstrap,
        "GROUP_ID": job.group,
        "INPUT_TOPIC": job.topic,
        "OUTPUT_TOPIC": job.output_topic,
        "GRACE": f"{GRACE_MS}ms",
        "AUTO_CREATE_TOPICS": "on",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": "0",
        "LOG_LEVEL": "warning",
        "KERNEL": kernel,
    }
    if rollups:
        settings |= {
            "ROLLUPS": rollups,
            "OUTPUT_TOPIC": job.output_topic.removesuffix(_BASE) + "{period}",
        }
    if (schema := schema_path(job.load)) is not None:
        settings["INPUT_SCHEMA"] = str(schema)
    env = {f"BARENGINE_{key}": value for key, value in settings.items()}
    return Command([sys.executable, "-m", "benchmarks.contenders.engine"], env)


def decode(value: bytes) -> Bar:
    """A bar from barengine's own Avro value."""
    read: Any = fastavro.schemaless_reader(io.BytesIO(value), _SCHEMA, None)
    first, high, low, last = (_units(read[name]) for name in ("open", "high", "low", "close"))
    return Bar(first, high, low, last, read["tick_count"])


def _units(price: Any) -> int:
    units = price * UNITS
    return int(units) if units == int(units) else -1


COMPILED: Final = Contender(
    "barengine",
    "exactly once",
    command,
    notes="one process, default settings",
    decode=decode,
)


def with_rollups(rollups: str) -> Contender:
    """The same with roll-ups, in topics beside the job's."""
    named = partial(command, rollups=rollups)
    return replace(COMPILED, name=f"{COMPILED.name}, ROLLUPS={rollups}", command=named)


PURE: Final = Contender(
    "barengine, pure twin",
    "exactly once",
    lambda job: command(job, "pure"),
    notes="the readable specification in plain Python",
    ticks=200_000,
    decode=decode,
)
