"""The configuration of the local Kafka: one KRaft node that starts fast and loses nothing."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from barengine.kafka.local_net import HOST

NODE_ID: Final = 1

FIXED: Final[Mapping[str, str]] = {
    "process.roles": "broker,controller",
    "node.id": str(NODE_ID),
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",  # a topic nobody meant to make is a bug to see
    # one node holds every replica
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # made on first use, in the way of the first consumer: 50 partitions take a second, 4 do not
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",  # no wait for members that will not come
    "group.min.session.timeout.ms": "1000",  # tests may lose a member without waiting for 6 s
    # After a kill the controller refuses the restarted broker until the dead one's session is
    # over: 9 s by default.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # 128 MiB by default, taken from the heap at once; 8 MiB still index 350 000 keys a pass
    "log.cleaner.dedupe.buffer.size": "8388608",
}

JVM_OPTIONS: Final = (
    "-Xms64m",
    "-XX:+UseSerialGC",  # as fast here as G1, writing and reading, with 70 MB less
    "-Djava.awt.headless=true",
    # the broker's libraries still use both; without consent each start warns about it
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    # 700 lines of configuration values at every start, otherwise
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",
)


def new_cluster_id() -> str:
    """A random cluster id as Kafka writes them: 16 bytes as 22 characters.

    The first byte is fixed, because an id that begins with ``-`` reads as an option.
    """
    return base64.urlsafe_b64encode(b"b" + uuid.uuid4().bytes[1:]).decode().rstrip("=")


def server_properties(
    port: int, controller_port: int, log_dir: Path, overrides: Mapping[str, str]
) -> str:
    """The text of ``server.properties``; ``overrides`` win over everything else."""
    values = {
        **FIXED,
        # static voters: the port may be another one at the next start on the same data
        "controller.quorum.voters": f"{NODE_ID}@{HOST}:{controller_port}",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "log.dirs": str(log_dir),
        **overrides,
    }
    return "".join(f"{key}={_escape(value)}\n" for key, value in values.items())


def _escape(value: str) -> str:
    r"""Escape for Java's properties format, where ``\`` begins an escape and a line is a value."""
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def java_command(java: Path, jars: Sequence[Path], heap_mb: int, *program: str) -> list[str]:
    """The command line that runs one of Kafka's programs."""
    class_path = ":".join(str(jar) for jar in jars)
    return [str(java), f"-Xmx{heap_mb}m", *JVM_OPTIONS, "-cp", class_path, *program]
