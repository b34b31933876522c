"""A broker of several dies: what it coordinated and led is somebody else's from then on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import pytest

from barengine.naming import transactional_id
from tests.chaos.cluster import CONTROLLER, Cluster
from tests.chaos.storm import PARTITIONS, Chaos, Storm
from tests.processes import eventually

TIMES: Final = 4


def coordinators(cluster: Cluster, storm: Storm) -> dict[str, int]:
    """The node that coordinates the transactions of each partition, by transactional id."""
    settings = storm.scene.settings
    ids = [
        transactional_id(settings.context, settings.group_id, settings.input_topic_bare, number)
        for number in range(PARTITIONS)
    ]
    return {name: cluster.coordinator(name) for name in ids}


def elsewhere(cluster: Cluster, names: Sequence[str], victim: int) -> bool:
    """Whether none of these transactional ids is the victim's any more."""
    return all(cluster.coordinator(name) != victim for name in names)


@pytest.mark.full
def test_transaction_coordinator_moves(chaos: Chaos) -> None:
    """kill -9 of the broker that coordinates a partition's transactions: others take over its
    transactions, its group and its logs, and every bar is right, and there once."""
    moved = 0
    with (
        Cluster() as cluster,
        chaos.storm("transaction coordinator moved", cluster.bootstrap) as storm,
    ):
        for _ in range(TIMES):
            storm.calm(0.5, 4.0)
            before = coordinators(cluster, storm)
            victims = sorted({node for node in before.values() if node != CONTROLLER})
            victim = chaos.chance.choice(victims or [2, 3])
            lost = [name for name, node in before.items() if node == victim]
            moved += len(lost)
            storm.inject(f"kill -9 of node {victim}", cluster.nodes[victim].kill)
            assert eventually(partial(elsewhere, cluster, lost, victim)), "it does not move"
            storm.calm(1.0, 4.0)
            cluster.nodes[victim].start()
            cluster.until_whole()
        storm.finish()
    assert moved, "the controller coordinated everything, all the time"
