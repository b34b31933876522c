"""Kafka Streams, and Kafka's own consumer: Java, compiled once where a JDK is found."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from barengine.errors import LocalKafkaError
from barengine.kafka.local_fetch import kafka_jars
from benchmarks.contender import Command, Contender, Job
from benchmarks.load import FOLDER
from benchmarks.program import arguments

_FOLDER: Final = Path(__file__).parent / "kafka_streams"
_SOURCES: Final = (_FOLDER / "Bars.java", _FOLDER / "Closing.java")
_PINS: Final = _FOLDER / "jars.txt"
_BUILT: Final = FOLDER / "kafka_streams"

_LOGS: Final = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
_TUNED: Final = ("-XX:+UseParallelGC", "-Xmx1g")
"""15 to 35 % faster than the JVM's own choice of a collector, with half the memory."""


def unavailable() -> str | None:
    """Why it cannot run here; None: it can, and is compiled."""
    bin_folder = _jdk()
    if bin_folder is None:
        return "no JDK found (javac on PATH or in JAVA_HOME)"
    try:
        _compile(bin_folder / "javac")
    except LocalKafkaError as error:
        return str(error)
    except subprocess.CalledProcessError as error:
        return f"{_FOLDER.name} does not compile: {error.stderr.strip()}"
    return None


def command(job: Job, mode: str, *jvm: str) -> Command:
    """The program in one of its modes.

    Raises:
        RuntimeError: there is no JDK.
    """
    bin_folder = _jdk()
    if bin_folder is None:
        raise RuntimeError("no JDK found")
    class_path = os.pathsep.join([*_jars(), str(_classes())])
    java = [str(bin_folder / "java"), *jvm, _LOGS, "-cp", class_path, "Bars"]
    return Command([*java, "--mode", mode, "--state", str(_BUILT / "state"), *arguments(job)])


def _jdk() -> Path | None:
    """The folder of a JDK's programs: that of JAVA_HOME first, as build tools do."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("javac", path=f"{home}/bin") if home else None
    found = found or shutil.which("javac")
    return Path(found).resolve().parent if found else None


def _jars() -> list[str]:
    return [str(jar) for jar in [*kafka_jars(), *kafka_jars(pins=_PINS)]]


def _classes() -> Path:
    """Where the classes of these very sources and jars are kept."""
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in (*_SOURCES, _PINS))).hexdigest()
    return _BUILT / f"classes-{digest[:12]}"


def _compile(javac: Path) -> None:
    if (_classes() / "Bars.class").exists():
        return
    class_path = os.pathsep.join(_jars())
    subprocess.run(  # noqa: S603 - the JDK of this machine
        [javac, "-nowarn", "-cp", class_path, "-d", _classes(), *_SOURCES],
        check=True,
        capture_output=True,
        text=True,
    )


BEST: Final = Contender(
    "Kafka Streams, DSL tuned",
    "exactly once",
    lambda job: command(job, "best", *_TUNED),
    notes="exactly_once_v2, in-memory store, emission on close, 2 threads, commit every 1 s, "
    "tick decoded by hand",
    available=unavailable,
)

PROCESSOR: Final = Contender(
    "Kafka Streams, Processor API",
    "exactly once",
    lambda job: command(job, "processor", *_TUNED),
    notes="exactly_once_v2, in-memory store with changelog and cache, bars forwarded when stream "
    "time closes them, 2 threads, commit every 1 s, tick decoded by hand",
    available=unavailable,
)

DEFAULT: Final = Contender(
    "Kafka Streams, DSL default",
    "exactly once",
    lambda job: command(job, "default"),
    notes="exactly_once_v2, suppress, RocksDB, 1 thread, tick decoded by hand",
    available=unavailable,
)

READING: Final = Contender(
    "reading: Java consumer",
    "reads only",
    lambda job: command(job, "raw"),
    notes="Kafka's own client, nothing is parsed",
    decode=None,
    available=unavailable,
)
