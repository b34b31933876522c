"""docs/images/dashboard.png: the dashboard over a real run, drawn without a Grafana.

``python -m tests.observability.picture``. The run is ``barengine demo``, scraped by Prometheus;
panels, queries, units, thresholds and places are read from the dashboard's JSON.
"""

from __future__ import annotations

import itertools
import math
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from barengine.kafka.local_net import pick_free_port
from tests.observability.files import ROOT, RULES, asked, dashboard
from tests.observability.prometheus import Prometheus, Series
from tests.processes import PATIENCE_S

PICTURE: Final = ROOT / "docs" / "images" / "dashboard.png"
RUN_S: Final = 90
RATE_INTERVAL: Final = "10s"

COLUMNS: Final = 24
WIDTH_IN: Final = 15.0
CELL_IN: Final = 0.36
GAP_IN: Final = 0.05
HEAD_IN: Final = 0.30  # a panel's title
NAMES_IN: Final = 0.28  # its legend
MARGIN_IN: Final = 0.55  # its axis

PAGE, PANEL, GRID, TEXT, FAINT = "#111217", "#181b1f", "#2a2e36", "#d8d9da", "#8e9196"
BACKGROUND: Final = {"green": "#3f8f52", "orange": "#c77d22", "red": "#c4424f", "blue": "#3767a8"}
LINES: Final = ("#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff")


def main() -> None:
    """Run, scrape, draw."""
    port = pick_free_port()
    demo = [sys.executable, "-m", "barengine", "demo", "--for", "off", "--http-port", f"{port}"]
    with tempfile.TemporaryDirectory() as folder:
        running = subprocess.Popen(demo, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            target = {"barengine": f"127.0.0.1:{port}"}
            with Prometheus(Path(folder), target, [RULES], "1s") as server:
                server.until("bars", lambda: server.query("barengine_bars_emitted_total > 0"))
                time.sleep(RUN_S)
                draw(server, time.time(), PICTURE)
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(PATIENCE_S)


def draw(server: Prometheus, now: float, file: Path) -> None:
    """Every panel at its place, in one picture."""
    mpl.rcParams.update({"font.size": 8, "text.color": TEXT, "font.family": "DejaVu Sans"})
    panels = dashboard()["panels"]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    figure = plt.figure(figsize=(WIDTH_IN, rows * CELL_IN), facecolor=PAGE)
    for panel in panels:
        left, bottom, width, height = _place(panel["gridPos"], rows)
        if panel["type"] == "row":
            title = panel["title"]
            figure.text(*_share(figure, left, bottom + 0.1), title, fontsize=10, weight="bold")
            continue
        axes = figure.add_axes(_box(figure, left, bottom, width, height), facecolor=PANEL)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color(GRID)
        draw_one = {"stat": _stat, "timeseries": _lines}[panel["type"]]
        draw_one(server, panel, axes, now)
    file.parent.mkdir(exist_ok=True)
    figure.savefig(file, dpi=100, facecolor=PAGE)
    plt.close(figure)


# -- panels --------------------------------------------------------------------------------------


def _stat(server: Prometheus, panel: dict[str, Any], axes: Axes, now: float) -> None:
    [target] = panel["targets"]
    [one, *_] = server.query(asked(target, interval=RATE_INTERVAL))
    defaults = panel["fieldConfig"]["defaults"]
    steps = defaults["thresholds"]["steps"]
    color = [step["color"] for step in steps if step["value"] is None or one.value >= step["value"]]
    axes.set_facecolor(BACKGROUND[color[-1]])
    _title(axes, panel["title"])
    name = _legend(target["legendFormat"], one)
    axes.text(0.5, 0.5, _amount(one.value, defaults["unit"]), ha="center", va="center", fontsize=19)
    axes.text(0.5, 0.16, name, ha="center", va="center", fontsize=8)


def _lines(server: Prometheus, panel: dict[str, Any], frame: Axes, now: float) -> None:
    _title(frame, panel["title"])
    defaults = panel["fieldConfig"]["defaults"]
    found = [
        (_legend(target["legendFormat"], one), one.values)
        for target in panel["targets"]
        for one in server.query_range(asked(target, interval=RATE_INTERVAL), now - RUN_S, now, 1)
    ]
    axes = _inner(frame)
    if defaults["custom"]["stacking"]["mode"] == "normal":
        _stack(axes, found)
    else:
        for color, (_, values) in zip(itertools.cycle(LINES), found, strict=False):
            axes.plot(*zip(*values, strict=True), color=color, linewidth=1)
    axes.set_xlim(now - RUN_S, now)
    if "min" in defaults:
        axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
    if not any(value for _, values in found for _, value in values):
        axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: _amount(y, defaults["unit"])))
    _names(frame, [name for name, _ in found])


def _stack(axes: Axes, found: list[tuple[str, list[tuple[float, float]]]]) -> None:
    times = sorted({at for _, values in found for at, _ in values})
    heights = [[dict(values).get(at, 0.0) for at in times] for _, values in found]
    if heights:
        axes.stackplot(times, heights, colors=LINES, alpha=0.55)


def _inner(frame: Axes) -> Axes:
    """The axes of a panel, inside of its frame."""
    figure, box = _figure(frame), frame.get_position()
    width, height = figure.get_size_inches()
    left, bottom = box.x0 * width + MARGIN_IN, box.y0 * height + NAMES_IN + 0.18
    size = box.x1 * width - 0.12 - left, box.y1 * height - HEAD_IN - bottom
    axes = figure.add_axes(_box(figure, left, bottom, *size), facecolor=PANEL)
    axes.spines[:].set_visible(False)
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=FAINT, length=0, labelsize=7)
    axes.yaxis.set_major_locator(MaxNLocator(5, min_n_ticks=3))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: time.strftime("%H:%M:%S", time.gmtime(x)))
    )
    return axes


def _names(frame: Axes, names: list[str]) -> None:
    """The legend: a dash of each line's colour, and its name, as many as there is room for."""
    width, height = _size(frame)
    at = 0.12
    for color, name in zip(itertools.cycle(LINES), names, strict=False):
        length = 0.28 + 0.062 * len(name)
        if at + length > width:
            break
        place: dict[str, Any] = {
            "y": 0.13 / height,
            "va": "center",
            "transform": frame.transAxes,
            "fontsize": 7,
        }
        frame.text(at / width, s="▬", color=color, **place)
        frame.text((at + 0.13) / width, s=name, color=FAINT, **place)
        at += length


def _title(axes: Axes, title: str) -> None:
    _, height = _size(axes)
    axes.text(0.015, 1 - 0.15 / height, title, va="center", weight="bold", transform=axes.transAxes)


def _size(axes: Axes) -> tuple[float, float]:
    """Width and height in inches."""
    box, (width, height) = axes.get_position(), _figure(axes).get_size_inches()
    return box.width * width, box.height * height


def _figure(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


# -- words and numbers ---------------------------------------------------------------------------


def _legend(template: str, series: Series) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda match: series.labels.get(match[1], ""), template)


def _amount(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return "-"
    if unit == "percentunit":
        return f"{value * 100:.3g}%"
    if unit == "bytes":
        return f"{value / 2**20:.4g} MiB"
    if unit == "s" and 0 < abs(value) < 1:
        return f"{value * 1000:.3g} ms"
    text = f"{value / 1000:.4g}k" if abs(value) >= 1000 else f"{value:.3g}"
    return text + {"s": " s", "cps": "/s"}.get(unit, "")


# -- places --------------------------------------------------------------------------------------


def _place(grid: dict[str, int], rows: int) -> tuple[float, float, float, float]:
    """Left, bottom, width and height of a cell of Grafana's grid, in inches."""
    column = (WIDTH_IN - GAP_IN) / COLUMNS
    left, bottom = grid["x"] * column + GAP_IN, (rows - grid["y"] - grid["h"]) * CELL_IN + GAP_IN
    return left, bottom, grid["w"] * column - GAP_IN, grid["h"] * CELL_IN - GAP_IN


def _share(figure: Figure, left: float, bottom: float) -> tuple[float, float]:
    width, height = figure.get_size_inches()
    return left / width, bottom / height


def _box(
    figure: Figure, left: float, bottom: float, width: float, height: float
) -> tuple[float, float, float, float]:
    return (*_share(figure, left, bottom), *_share(figure, width, height))


if __name__ == "__main__":
    main()
