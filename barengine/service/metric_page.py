"""docs/metrics.md, made of the code: ``python -m barengine.service.metric_page``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from barengine.service import metric_specs as specs
from barengine.service.metric_specs import Kind, Spec

_HEAD = """\
# Metrics

Made by `make metrics-page` from the code; a test holds the two together.

`GET /metrics` gives them in the Prometheus text format, or as OpenMetrics to who asks for it. Times
are in seconds, as the names say. There is no label per symbol, and series of a partition disappear
when the partition goes elsewhere. Where `CONTEXT` is set, every series has it as label `context`.
Label sets that are closed begin at 0, so that a rate is right from the first event on.

Alerts and recording rules over them are in `helm/barengine/rules`, explained in
[alerts.md](alerts.md); a dashboard is in `helm/barengine/dashboards`.

![The dashboard](images/dashboard.png)

The dashboard over a minute and a half of `barengine demo`, drawn by `make dashboard-picture` from
what Prometheus had scraped: panels, queries, units and thresholds are those of the JSON, the look
is not quite Grafana's. The alerts that fire are about the bad records that the demo sends on
purpose.
"""

_TITLES = {
    Kind.COUNTER: "Counters",
    Kind.GAUGE: "Gauges",
    Kind.HISTOGRAM: "Histograms",
    Kind.INFO: "Information",
}

_PROCESS = """\
## The process

On Linux `process_cpu_seconds_total`, `process_resident_memory_bytes`,
`process_virtual_memory_bytes`, `process_start_time_seconds`, `process_open_fds` and
`process_max_fds`, as every Prometheus client has them.
"""


def page() -> str:
    """The whole page, in Markdown."""
    groups = "\n".join(_group(kind) for kind in Kind)
    return "\n".join((_HEAD, groups, _labels(), _PROCESS))


def _group(kind: Kind) -> str:
    found = [spec for spec in specs.SPECS if spec.kind is kind]
    rows = ((f"`{one.name}`", _names(one.labels), _help(one)) for one in found)
    return f"## {_TITLES[kind]}\n\n{_table(('name', 'labels', 'meaning'), rows)}"


def _names(labels: Iterable[str]) -> str:
    return ", ".join(f"`{label}`" for label in labels)


def _help(spec: Spec) -> str:
    bounds = ", ".join(f"{bound:g}" for bound in spec.buckets)
    return f"{spec.help} Bounds: {bounds}." if bounds else spec.help


def _labels() -> str:
    used = sorted({label for spec in specs.SPECS for label in spec.labels})
    rows = ((f"`{label}`", specs.LABEL_VALUES[label]) for label in used)
    return f"## Labels\n\n{_table(('label', 'values'), rows)}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join([*_lines(head, rows), ""])


def _lines(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for cells in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(cells)} |".replace("|  |", "| |")


if __name__ == "__main__":
    sys.stdout.write(page())
