"""What tables say of runs."""

from __future__ import annotations

from benchmarks.compare import ratios
from benchmarks.measure import Run
from benchmarks.report import Section, markdown, rate, spread
from benchmarks.rounds import cells
from benchmarks.ticks import Load
from benchmarks.verdict import Verdict


def run(
    seconds: float = 1.0, cpu_s: float = 1.0, verdict: Verdict | None = None, problem: str = ""
) -> Run:
    return Run(1_000_000, seconds, cpu_s, 100_000_000, verdict, {}, problem)


def test_a_figure_is_a_median_with_its_extremes() -> None:
    """One outlier moves the end of the range, not the figure."""
    assert spread([3, 1, 100], str) == "3 (1 - 100)"
    assert spread([3], str) == "3"
    assert spread([], str) == "-"


def test_rates_are_short() -> None:
    """Three digits are what a measurement is good for."""
    assert [rate(value) for value in (6_904_321, 356_400, 14_021)] == ["6.90 M", "356 k", "14 k"]


def test_a_table_shows_the_worst_run() -> None:
    """One wrong bar in one of many rounds is not hidden by the good ones."""
    good, bad = Verdict(exact=9), Verdict(exact=8, wrong=1, missing=1, duplicate=2)
    assert cells(Load(1_000_000), [run(verdict=good)])[-1] == "9 exact"
    runs = [run(verdict=good), run(verdict=bad), run(verdict=good)]
    assert cells(Load(1_000_000), runs)[-1] == "8 exact, 1 wrong, 1 missing, 2 duplicate"


def test_a_run_that_failed_has_no_figures() -> None:
    """Its time goes into no median, and the row says what happened."""
    runs = [run(2.0), run(500.0, problem="did not finish: 1 of 9 bars")]
    _, ticks_per_s, *_, bars = cells(Load(1_000_000), runs)
    assert ticks_per_s == "500 k"
    assert bars == "1 of 2 runs: did not finish: 1 of 9 bars"


def test_barengine_is_held_against_the_best_variant() -> None:
    """The fastest for ticks a second, the thriftiest for CPU, though they be two variants."""
    runs = {
        "barengine": [run(0.2, 0.1)],
        "Kafka Streams, one": [run(4.0, 3.0)],
        "Kafka Streams, other": [run(2.0, 5.0)],
        "Kafka Streams, stuck": [run(0.1, 0.1, problem="did not begin")],
    }
    assert ratios(runs) == [
        "barengine against the best Kafka Streams variant: 10.0 times the ticks a second, "
        "30.0 times less CPU."
    ]
    assert ratios({"barengine": runs["barengine"]}) == []


def test_sections_become_markdown() -> None:
    """Title, text, table and remarks; a bar in a cell does not break the table."""
    section = Section("Title", "Text.", ("a", "b"), [("BRK|SYM", "2")], ["Remark."])
    assert markdown([section]).splitlines() == [
        "## Title",
        "",
        "Text.",
        "",
        "| a | b |",
        "| --- | --- |",
        "| BRK\\|SYM | 2 |",
        "",
        "Remark.",
    ]
