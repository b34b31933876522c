"""A real schema registry with the Confluent API, from packages alone, as the local Kafka is."""

from __future__ import annotations

import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from barengine.kafka.local_fetch import java_executable, kafka_jars
from barengine.kafka.local_net import HOST, pick_free_port
from barengine.kafka.local_process import SupervisedProcess, log_tail
from tests.processes import eventually

PINS: Final = Path(__file__).with_name("registry_jars.txt")
API: Final = "/apis/ccompat/v7"
START_S: Final = 90.0  # 3 s on an idle machine
STOP_S: Final = 5.0
PROBE_S: Final = 2.0

JAVA_OPTIONS: Final = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""A hundred schemas in memory; a start that counts more than speed afterwards."""


@contextmanager
def apicurio() -> Iterator[str]:
    """A registry that is empty and gone afterwards; yields the URL of its Confluent API."""
    [archive] = kafka_jars(pins=PINS)
    folder = Path(tempfile.mkdtemp(prefix="barengine-registry-"))
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    port = pick_free_port()
    command = [
        str(java_executable()),
        *JAVA_OPTIONS,
        f"-Dquarkus.http.host={HOST}",
        f"-Dquarkus.http.port={port}",
        f"-Dquarkus.management.port={pick_free_port()}",  # else 9000, for health
        "-jar",
        str(folder / "quarkus-run.jar"),
    ]
    log = folder / "registry.log"
    process = SupervisedProcess(command, log, grace_s=STOP_S, orphan_folder=folder)
    url = f"http://{HOST}:{port}{API}"
    try:
        eventually(lambda: _answers(url) or process.wait(0) is not None, START_S)
        if not _answers(url):
            raise AssertionError(f"the registry does not come up\n{log_tail(log)}")
        yield url
    finally:
        process.close(keep_folder=False)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/subjects", timeout=PROBE_S) as page:
            return bool(page.status == 200)
    except OSError:
        return False
