"""What tables say of runs."""

from __future__ import annotations

from dataclasses import replace

from benchmarks import loop
from benchmarks.compare import Ratios, ratios, told
from benchmarks.marking import at_least, at_most
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
    """The fastest for ticks a second, the thriftiest for CPU, though they be two variants; a run
    that failed, or whose bars were not all right and there once, is no match for anyone."""
    runs = {
        "barengine": [run(0.2, 0.1)],
        "Kafka Streams, one": [run(4.0, 3.0)],
        "Kafka Streams, other": [run(2.0, 5.0)],
        "Kafka Streams, stuck": [run(0.1, 0.1, problem="did not begin")],
        "Kafka Streams, wrong": [run(0.1, 0.1, Verdict(exact=8, wrong=1))],
        "Kafka Streams, twice": [run(0.1, 0.1, Verdict(exact=9, duplicate=1))],
    }
    assert ratios(runs) == Ratios(10.0, 30.0, "Kafka Streams, other", "Kafka Streams, one")
    assert told(runs) == [
        "barengine against Kafka Streams, one: 20.0 times the ticks a second, 30.0 times less CPU.",
        "barengine against Kafka Streams, other: "
        "10.0 times the ticks a second, 50.0 times less CPU.",
    ]
    assert ratios({"barengine": runs["barengine"]}) is None
    assert ratios(runs | {"barengine": [run(verdict=Verdict(exact=8, missing=1))]}) is None


def test_a_mark_says_by_how_much_it_is_held_or_not() -> None:
    """The mark itself is held; without a good run nothing is claimed."""
    assert at_least("ticks/s", 6e6, 5e6, rate) == (
        "Held: ticks/s, at least 5.00 M: 6.00 M, 20 % above."
    )
    assert at_least("ticks/s", 4e6, 5e6, rate).startswith("Not held: ")
    assert at_most("ms", 50.0, 50.0, str) == "Held: ms, at most 50.0: 50.0, 0 % above."
    assert at_most("ms", 75.0, 50.0, str) == "Not held: ms, at most 50.0: 75.0, 50 % above."
    assert at_most("ms", None, 50.0, str) == "Not judged: ms, at most 50.0: no good run."


def test_the_loop_is_judged_by_its_worst_gap() -> None:
    """With the CPU of its own thread in that gap, which tells our work from the machine's."""
    calm = {"loop_max_ms": 5.0, "loop_max_cpu_ms": 4.0, "loop_own_ms": 4.0}
    late = {"loop_max_ms": 60.0, "loop_max_cpu_ms": 1.0, "loop_own_ms": 3.0}
    runs = [replace(run(), notes=notes) for notes in (calm, late)]
    assert loop.cells(runs) == ("60", "1")
    [line] = loop.marks(runs)
    assert line.startswith("Not held: event loop held in any run, ms, at most 50: 60, 20 % above.")
    assert "1 ms of CPU in that gap, and 4 ms at most in any gap." in line
    assert loop.cells([run()]) == ("-", "-")
    assert loop.marks([run()]) == []


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
