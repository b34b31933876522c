"""Three brokers on this machine: the coordinators of what one of them loses move to the others."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Final, Self
from unittest import mock

from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import KafkaError
from confluent_kafka.admin import AdminClient

from barengine.kafka import local
from barengine.kafka.local import LocalKafka
from barengine.kafka.local_config import new_cluster_id
from barengine.kafka.local_net import HOST, pick_free_port
from tests.broker.records import CALL_S, QUIET
from tests.processes import eventually

NODES: Final = (1, 2, 3)
CONTROLLER: Final = 1
HEAP_MB: Final = 256

SAFE: Final = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
}


class Cluster:
    """Brokers by node; a context manager. CONTROLLER is one besides: leave it alone."""

    def __init__(self) -> None:
        ports: list[int] = []
        for _ in (*NODES, "controller"):
            ports.append(pick_free_port(*ports))
        controller = ports.pop()
        self.bootstrap = ",".join(f"{HOST}:{port}" for port in ports)
        self._stack = ExitStack()
        self.nodes = {
            node: LocalKafka(port, config=_config(node, port, controller), heap_mb=HEAP_MB)
            for node, port in zip(NODES, ports, strict=True)
        }

    def __enter__(self) -> Self:
        with mock.patch.object(local, "new_cluster_id", return_value=new_cluster_id()):
            for node in self.nodes.values():
                self._stack.enter_context(node)
        self.until_whole()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def until_whole(self) -> None:
        """Wait until every broker is there."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap, **QUIET})
        if not eventually(lambda: len(admin.list_topics(timeout=CALL_S).brokers) == len(NODES)):
            raise AssertionError("a broker is missing")

    def coordinator(self, transactional_id: str) -> int:
        """The node that coordinates these transactions now."""
        return asyncio.run(_coordinator(self.bootstrap, transactional_id))


def _config(node: int, port: int, controller: int) -> dict[str, str]:
    own = {"node.id": str(node), "controller.quorum.voters": f"{CONTROLLER}@{HOST}:{controller}"}
    listener = f"PLAINTEXT://{HOST}:{port}"
    if node == CONTROLLER:
        return SAFE | own | {"listeners": f"{listener},CONTROLLER://{HOST}:{controller}"}
    return SAFE | own | {"listeners": listener, "process.roles": "broker"}


async def _coordinator(bootstrap: str, transactional_id: str) -> int:
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        async with asyncio.timeout(CALL_S):
            while True:
                try:
                    return int(
                        await client.coordinator_lookup(
                            CoordinationType.TRANSACTION, transactional_id
                        )
                    )
                except KafkaError:  # it is being elected
                    await asyncio.sleep(0.1)
                    await client.force_metadata_update()
    finally:
        await client.close()
