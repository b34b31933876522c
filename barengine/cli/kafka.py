"""``barengine kafka``: just the local broker."""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from barengine.errors import LocalKafkaError
from barengine.kafka.local import LocalKafka
from barengine.kafka.local_fetch import kafka_version
from barengine.kafka.local_process import log_tail

WAKE_S = 60.0  # signals end the wait at once; this only bounds one call


def kafka(
    port: Annotated[
        int, typer.Option(help="Port on 127.0.0.1 to listen on; 0 picks a free one.")
    ] = 9092,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder to keep topics in, and to find them in again; "
            "without it they are gone when the broker ends.",
            file_okay=False,
        ),
    ] = None,
) -> None:
    """Run a real one-node Apache Kafka on this machine until Ctrl-C.

    Its address goes to standard output when it answers, everything else to standard error.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as with Ctrl-C
    with contextlib.suppress(KeyboardInterrupt):
        _say(f"starting Apache Kafka {kafka_version()}")
        with LocalKafka(port=port, data_dir=data) as broker:
            print(broker.bootstrap, flush=True)
            kept = f"topics stay in {data}" if data else "topics go with it (--data DIR keeps them)"
            _say(f"up, Ctrl-C ends it; {kept}")
            _wait_for_the_end(broker)


def _wait_for_the_end(broker: LocalKafka) -> None:
    """Return never; a signal raises out of it.

    Raises:
        LocalKafkaError: the broker ended by itself.
    """
    while not broker.wait(WAKE_S):
        pass
    raise LocalKafkaError(f"the local Kafka ended by itself\n{log_tail(broker.log_path)}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
