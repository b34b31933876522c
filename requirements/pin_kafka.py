"""Pin the jars of one Kafka version: ``python requirements/pin_kafka.py 4.1.0``.

Resolves the broker's dependency tree once, fetches every jar, and writes
``barengine/kafka/local_jars.txt``, so that a start resolves nothing and trusts no
checksum that came with the download.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from jgo.maven import Dependency, MavenContext

TARGET = Path(__file__).parent.parent / "barengine" / "kafka" / "local_jars.txt"
HEADER = """\
# The jars of the local broker: SHA-256, size in bytes, group:artifact:version.
# Written by requirements/pin_kafka.py; the first line is the broker itself.
"""


def _dependencies(context: MavenContext, version: str) -> list[Dependency]:
    """The broker, what it needs to run, and the smallest logger that its log facade accepts."""
    broker = context.create_dependency(f"org.apache.kafka:kafka_2.13:{version}")
    inputs, transitive = context.resolver.resolve([broker])
    facade = next(d.version for d in transitive if d.artifactId == "slf4j-api")
    logger = context.create_dependency(f"org.slf4j:slf4j-simple:{facade}")
    return [*inputs, *sorted([*transitive, logger], key=lambda d: (d.groupId, d.artifactId))]


def _line(dependency: Dependency) -> str:
    data = dependency.artifact.resolve().read_bytes()
    coordinate = f"{dependency.groupId}:{dependency.artifactId}:{dependency.version}"
    return f"{hashlib.sha256(data).hexdigest()} {len(data):>8} {coordinate}"


def main() -> None:
    dependencies = _dependencies(MavenContext(), sys.argv[1])
    TARGET.write_text(HEADER + "".join(f"{_line(d)}\n" for d in dependencies))


if __name__ == "__main__":
    main()
