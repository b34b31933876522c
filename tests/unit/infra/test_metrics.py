"""Metrics of a run that is too short to be scraped."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from barengine.errors import ConfigurationError
from barengine.infra.metrics import APPLIED, LAST_RUN, SECONDS, SKIPPED, InfraMetrics
from barengine.infra.model import Kind


def samples(path: Path) -> dict[tuple[str, str], float]:
    """Values by name and kind."""
    return {
        (sample.name, sample.labels.get("kind", "")): sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
        if "le" not in sample.labels
    }


def test_what_was_done_and_what_was_right(tmp_path: Path) -> None:
    """Counted by kind, every kind from 0 on; with the seconds that it took."""
    metrics, path = InfraMetrics(""), tmp_path / "infra.prom"
    metrics.applied(Kind.TOPIC, 0.25)
    metrics.applied(Kind.TOPIC, 0.5)
    metrics.skipped(Kind.SCHEMA)
    metrics.write(path)
    found = samples(path)
    assert {kind: found[APPLIED, kind] for kind in Kind} == {
        Kind.TOPIC: 2,
        Kind.SCHEMA: 0,
        Kind.RIGHT: 0,
        Kind.KSQLDB: 0,
    }
    assert found[SKIPPED, "schema"] == 1
    assert (found[f"{SECONDS}_count", ""], found[f"{SECONDS}_sum", ""]) == (2, 0.75)
    assert found[LAST_RUN, ""] > 1_700_000_000
    assert [*tmp_path.iterdir()] == [path]


def test_the_context_is_on_every_series(tmp_path: Path) -> None:
    """As it is in the service: two contexts in one collector never meet."""
    path = tmp_path / "infra.prom"
    InfraMetrics("trading").write(path)
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert all('context="trading"' in line for line in lines)


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """The error names the option and the file."""
    with pytest.raises(ConfigurationError, match=r"--metrics-file .*nowhere"):
        InfraMetrics("").write(tmp_path / "nowhere" / "infra.prom")
