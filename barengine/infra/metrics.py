"""Metrics of one run, for the textfile collector of Prometheus' node exporter.

A process that lives for seconds is never scraped; it leaves its numbers in a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    write_to_textfile,
)

from barengine.errors import ConfigurationError
from barengine.infra.model import Kind
from barengine.service.exposition import Exposed

APPLIED: Final = "barengine_migrations_applied_total"
SKIPPED: Final = "barengine_migrations_skipped_total"
SECONDS: Final = "barengine_migration_seconds"
LAST_RUN: Final = "barengine_migrations_last_run_timestamp_seconds"

_BUCKETS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 30)
"""A topic on a near broker takes some 50 ms; a step that takes 30 s has failed."""


class InfraMetrics:
    """What one run of ``barengine infra`` did.

    Args:
        context: constant label ``context`` of every series; none where empty.
    """

    def __init__(self, context: str) -> None:
        inner = CollectorRegistry()
        self.registry: Final = CollectorRegistry()
        self.registry.register(Exposed(inner, {"context": context} if context else {}))
        self._applied = Counter(APPLIED, "Steps done by this run.", ["kind"], registry=inner)
        self._skipped = Counter(
            SKIPPED, "Resources that were as they shall be.", ["kind"], registry=inner
        )
        self._seconds = Histogram(
            SECONDS, "Seconds from a step's begin to its end.", buckets=_BUCKETS, registry=inner
        )
        self._last_run = Gauge(LAST_RUN, "When this run ended, Unix time.", registry=inner)
        for kind in Kind:
            self._applied.labels(kind.value)
            self._skipped.labels(kind.value)

    def applied(self, kind: Kind, seconds: float) -> None:
        """Count one step that is done."""
        self._applied.labels(kind.value).inc()
        self._seconds.observe(seconds)

    def skipped(self, kind: Kind) -> None:
        """Count one resource that needs nothing."""
        self._skipped.labels(kind.value).inc()

    def text(self) -> str:
        """All of it, as the file would hold it."""
        self._last_run.set_to_current_time()
        return generate_latest(self.registry).decode()

    def write(self, path: Path) -> None:
        """Write all of it, in one go: a collector never reads half a file.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        self._last_run.set_to_current_time()
        try:
            write_to_textfile(str(path), self.registry)
        except OSError as error:
            raise ConfigurationError(f"--metrics-file {path}: {error.strerror}") from error
