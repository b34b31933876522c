"""What `make bench` says without a broker, and where it writes it."""

from __future__ import annotations

from rich.console import Console

from benchmarks import one_tick
from benchmarks.__main__ import _parser, _report
from benchmarks.load import FOLDER
from benchmarks.rounds import QUICK_TICKS, Options


def test_one_tick_is_measured_in_its_parts_and_judged_as_a_whole() -> None:
    """CRC, decompression and kernel over the very ticks of the comparison: a row each."""
    [section] = one_tick.run(Options("no broker", Console(stderr=True), quick=True))
    assert section.intro.startswith(f"{QUICK_TICKS // 4:,} ticks")
    assert [len(row) for row in section.rows] == [2] * 4
    assert ["at most 100.0" in line for line in section.remarks] == [True, False]


def test_the_report_is_kept_by_default() -> None:
    """In a file of its own for each choice: a quick look does not overwrite the whole."""

    def name(*argv: str) -> str:
        return str(_report(_parser().parse_args(argv)).relative_to(FOLDER))

    assert name() == "report.md"
    assert name("marks", "--quick") == "report-marks-quick.md"
    assert name("compare", "--only", "Kafka Streams") == "report-compare-only-Kafka-Streams.md"
