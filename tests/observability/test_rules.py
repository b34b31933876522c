"""Rules and metrics as Prometheus' own checker sees them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # PyYAML ships no types

from barengine.service import metric_specs as specs
from tests.broker.engine_process import EngineProcess
from tests.observability.files import RULE_TESTS, RULES, alerts

ALERTS = [alert["alert"] for alert in alerts()]
CHECK_S = 120.0


def check(promtool: Path, *arguments: str, given: str = "") -> tuple[int, str]:
    """Exit code of promtool and all it says."""
    done = subprocess.run(
        [promtool, *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=CHECK_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_rules_are_well_formed(promtool: Path) -> None:
    """Prometheus takes the file, and its linter has nothing to say."""
    code, said = check(promtool, "check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    assert code == 0, said


def test_alerts_fire_when_they_should_and_only_then(promtool: Path) -> None:
    """Every case of alerts_*.test.yaml holds."""
    code, said = check(promtool, "test", "rules", *map(str, RULE_TESTS))
    assert code == 0, said


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_has_both_cases(alert: str) -> None:
    """There is a case in which it fires, and one in which it must not."""
    fires = {
        bool(case["exp_alerts"])
        for path in RULE_TESTS
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["alertname"] == alert
    }
    assert fires == {True, False}


def test_metrics_follow_the_conventions(promtool: Path, engine: EngineProcess) -> None:
    """Of a running service, Prometheus' linter finds fault with the names listed as odd alone."""
    _, said = check(promtool, "check", "metrics", given=engine.get("/metrics")[1])
    assert {line.split()[0] for line in said.splitlines()} == set(specs.ODD_NAMES), said
