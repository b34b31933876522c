"""The pages about metrics and alerts say what the code and the rules say."""

from __future__ import annotations

import re

import pytest

from barengine.service import metric_page
from barengine.service.metric_specs import DEAD_REASONS, SPECS
from tests.observability.files import ROOT, alerts, dashboard, panels

ALERTS = {alert["alert"]: alert for alert in alerts()}
PAGE = (ROOT / "docs" / "alerts.md").read_text()
ENTRIES = dict(re.findall(r"^## (\w+)\n\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_the_page_of_metrics_is_current() -> None:
    """It is made of the code; `make metrics-page` makes it anew."""
    assert (ROOT / "docs" / "metrics.md").read_text() == metric_page.page()


def test_each_metric_has_a_line() -> None:
    """Name, labels and meaning of every metric are in the page."""
    page = metric_page.page()
    for spec in SPECS:
        [line] = [line for line in page.splitlines() if line.startswith(f"| `{spec.name}` ")]
        assert spec.help in line
        assert all(f"`{label}`" in line for label in spec.labels)


def test_each_alert_has_its_entry() -> None:
    """And each entry its alert, in the same order."""
    assert list(ENTRIES) == list(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_points_to_its_entry(alert: str) -> None:
    """Its runbook is the entry's anchor, and the entry says severity, where to look, what to do."""
    rule = ALERTS[alert]
    assert rule["annotations"]["runbook"] == f"docs/alerts.md#{alert.lower()}"
    assert ENTRIES[alert].startswith(f"**{rule['labels']['severity']}** · ")
    assert "*Look at*" in ENTRIES[alert]
    assert "*Do*" in ENTRIES[alert]


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_and_how_bad(alert: str) -> None:
    """Two severities, no more; a sentence for the pager, one behind it."""
    rule = ALERTS[alert]
    assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}


def test_entries_name_panels_that_exist() -> None:
    """Where an entry says to look at a panel, the dashboard has it."""
    titles = {panel["title"] for panel in panels()}
    looks = re.findall(r"^\*Look at\*(.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
    named = {title for look in looks for title in re.findall(r'"([^"]+)"', look)}
    assert len(named) > 8
    assert named <= titles


def test_every_reason_of_a_dead_letter_is_explained() -> None:
    """But those from the future, which have an alert of their own."""
    explained = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`.*?) \|", PAGE, re.M))))
    assert explained == set(DEAD_REASONS) - {"future"}


def test_panels_explain_themselves() -> None:
    """Each has a title, a description and a unit; identifiers are unique, none covers another."""
    everything = dashboard()["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    for panel in panels():
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
    cells: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in everything):
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells
        cells |= own
