"""Every situation in which recovery refuses: what it says, the command it names, and what then is.

0 s        1 s        2 s                       C = 2 after the first run: the bar of 0 s has
| offset 0 | offset 1 | ...                     left, the window of 1 s is open (L = 1)
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import fields
from pathlib import Path
from typing import Final

import pytest

from barengine.codec.fields import TICK_SCHEMA
from barengine.demo.check import Checker
from barengine.demo.records import InputRecord
from barengine.demo.report import Report
from barengine.demo.rules import Rules
from tests.broker.mend import (
    FAILED,
    MISCONFIGURED,
    brief,
    cut,
    delete_topic,
    first_run,
    go_on,
    group_metadata,
    grow,
    refused,
    reset_group,
    state,
)
from tests.broker.records import Record, read_input, write
from tests.broker.scene import Scene, accept
from tests.broker.ticks import SECOND, tick
from tests.chaos.forms import cases
from tests.chaos.storm import Chaos

LATER: Final = 100 * SECOND


def ticks_of(scene: Scene) -> list[InputRecord]:
    """What the input topic holds now; some of it may be gone later."""
    return list(read_input(scene.bootstrap, scene.settings.input_topic))


EVERY: Final = slice(None)


def exact_without(
    scene: Scene, lost: Collection[int], ticks: list[InputRecord], bars: slice = EVERY
) -> Report:
    """Insist on exactly the bars of these ticks without those that the command gave up.

    Args:
        lost: offsets of partition 0.
        bars: which of them, in the order of their topic; others are of another log or run.
    """
    now = scene.settings
    rules = Rules(now.period, now.grace_ns, now.order, now.price_scale, whole=False)
    letters = (scene.late(), scene.dead()) if bars == EVERY else ((), ())
    checker = Checker(rules, *letters)
    checker.add_ticks(one for one in ticks if one.partition or one.offset not in lost)
    return accept(checker.finish(scene.bar_records()[bars]))


def together(*reports: Report) -> Report:
    """The sums of reports that have found no difference."""
    names = [field.name for field in fields(Report) if isinstance(field.default, int)]
    return Report(**{name: sum(getattr(one, name) for one in reports) for name in names})


# -- the log or the group's offset was changed -------------------------------------------------


def test_retention_has_cut_open_windows(bootstrap: str, chaos: Chaos, tmp_path: Path) -> None:
    """Lost ticks are told in offsets; the bar that lacks them is partial, the next one is whole."""
    scene = Scene(bootstrap, tmp_path)
    first_run(scene)
    scene.produce([tick("b", "A", 1100), tick("b", "A", 2 * SECOND)])
    ticks = ticks_of(scene)
    cut(scene, 2)

    assert "barengine state adopt --partition 0" in refused(scene.engine())
    said = state(scene, "adopt", "--partition", "0", "--yes")

    assert "the 1 records from L 1 to the log's start 2" in said
    assert brief(go_on(scene, 3)) == [(0, 0, 1, False), (2, 2, 1, True), (3, 3, 1, False)]
    report = exact_without(scene, [1], ticks)
    chaos.add("retention cut open windows, adopt", 1, report)


@pytest.mark.full
def test_retention_has_cut_what_was_never_read(
    bootstrap: str, chaos: Chaos, tmp_path: Path
) -> None:
    """The same where the log begins behind C: the first bar behind the gap is partial, too."""
    scene = Scene(bootstrap, tmp_path)
    first_run(scene)
    times = (5 * SECOND, 6 * SECOND, 7 * SECOND)
    scene.produce(tick("b", "A", at_ms) for at_ms in times)
    ticks = ticks_of(scene)
    cut(scene, 3)

    assert "are gone from the input topic" in refused(scene.engine())
    assert "1 of them were never processed" in state(scene, "adopt", "--yes")

    assert brief(go_on(scene, 3)) == [(0, 0, 1, False), (3, 3, 1, True), (4, 4, 1, False)]
    report = exact_without(scene, [1, 2], ticks)
    chaos.add("retention cut what was never read, adopt", 1, report)


def test_group_offset_set_ahead(bootstrap: str, chaos: Chaos, tmp_path: Path) -> None:
    """Adopt skips to the group's offset; windows open at C keep their ticks, and are partial."""
    scene = Scene(bootstrap, tmp_path)
    first_run(scene)
    times = (1100, 5 * SECOND, 6 * SECOND, 6500, 8 * SECOND)
    scene.produce(tick("b", "A", at_ms, at_ms / SECOND) for at_ms in times)
    reset_group(scene, 5)

    assert "barengine state adopt --partition 0" in refused(scene.engine())
    assert "the 3 records from C 2 on are never read" in state(scene, "adopt", "--yes")

    bars = go_on(scene, 4)
    assert brief(bars) == [(0, 0, 1, False), (1, 1, 1, True), (5, 5, 1, True), (6, 6, 1, False)]
    report = exact_without(scene, [2, 3, 4], ticks_of(scene))
    chaos.add("group offset set ahead, adopt", 1, report)


def test_group_offset_set_back(bootstrap: str, chaos: Chaos, tmp_path: Path) -> None:
    """Adopt never goes back: nothing leaves twice, and it says how to begin anew."""
    scene = Scene(bootstrap, tmp_path)
    first_run(scene)
    reset_group(scene, 0)

    assert "someone reset it" in refused(scene.engine())
    said = state(scene, "adopt", "--yes")

    assert "is not followed" in said
    with scene.engine() as engine:
        report = scene.finish(engine.until_ready())
    assert report.bars_exact == 2
    chaos.add("group offset set back, adopt", 1, report)


@pytest.mark.parametrize(("before", "after"), [("5s", "1s"), ("1s", "5s")])
def test_changed_window(
    bootstrap: str, chaos: Chaos, tmp_path: Path, before: str, after: str
) -> None:
    """Open windows are read again under the new length; bars are partial where an older bar has
    some of their ticks already, and whole elsewhere."""
    scene = Scene(bootstrap, tmp_path, settings={"WINDOW": after})
    first_run(scene, before)

    said = refused(scene.engine())
    assert f"WINDOW was {before}, is now {after}" in said
    assert "barengine state adopt" in said
    state(scene, "adopt", "--yes")

    if after == "1s":  # the window of 5 s was open: none of its ticks is in a bar
        assert brief(go_on(scene, 2)) == [(0, 0, 1, False), (1, 1, 1, False)]
        lost = []
    else:  # the first second is in a bar of 1 s
        assert brief(go_on(scene, 1)) == [(1, 1, 1, True)]
        lost = [0]
    report = exact_without(scene, lost, ticks_of(scene))
    chaos.add(f"window changed from {before} to {after}, adopt", 1, report)


@pytest.mark.parametrize("what", cases(["the same", "nothing"], short="nothing"))
def test_changed_schema(bootstrap: str, chaos: Chaos, tmp_path: Path, what: str) -> None:
    """Another schema under the same path is refused, whatever it reads of old ticks; adopt goes on
    with it, and tells how many are read again: those of an open window are in a partial bar, or are
    lost."""
    path = tmp_path / "input.avsc"
    path.write_text(json.dumps(TICK_SCHEMA))
    scene = Scene(bootstrap, tmp_path, settings={"INPUT_SCHEMA": str(path)})
    first_run(scene)
    reads = what == "the same"
    more = [] if reads else [{"name": "more", "type": "double"}]
    other = {**TICK_SCHEMA, "name": "Quote", "fields": [*TICK_SCHEMA["fields"], *more]}
    path.write_text(json.dumps(other))

    said = refused(scene.engine())
    assert "INPUT_SCHEMA was " in said
    assert "barengine state adopt" in said
    said = state(scene, "adopt", "--yes")
    assert "holds from C 2 on, and for the 1 records from L 1 on" in said

    wanted = [(0, 0, 1, False)] + ([(1, 1, 1, True)] if reads else [])
    assert brief(go_on(scene, len(wanted))) == wanted
    report = exact_without(scene, [] if reads else [1], ticks_of(scene))
    chaos.add(f"schema changed to one that reads {what}, adopt", 1, report)


def test_more_partitions(bootstrap: str, chaos: Chaos, tmp_path: Path) -> None:
    """First the commands that add them to the other topics, then adopt; the new one begins at its
    start, and its first bars are partial."""
    scene = Scene(bootstrap, tmp_path)
    first_run(scene)
    settings = scene.settings
    grow(scene, settings.input_topic)
    scene.produce([tick("b", "B", 1500, partition=1), tick("b", "B", 2500, partition=1)])

    said = refused(scene.engine(), MISCONFIGURED)
    for topic in (settings.bar_topic, settings.late_topic, settings.state_topic):
        assert f"--alter --topic {topic} --partitions 2" in said
    for topic in (
        settings.bar_topic,
        settings.late_topic,
        settings.dead_topic,
        settings.state_topic,
    ):
        grow(scene, topic)
    said = refused(scene.engine())  # whichever partition comes first
    assert "partitions of the input topic was 1, is now 2" in said or "partition is new" in said
    assert "barengine state adopt" in said
    state(scene, "adopt", "--yes")

    bars = go_on(scene, 4)
    by_symbol = {name: [b for b in bars if b["symbol"] == name] for name in "AB"}
    assert brief(by_symbol["A"]) == [(0, 0, 1, False), (1, 1, 1, True)]
    assert brief(by_symbol["B"]) == [(0, 0, 1, True), (1, 1, 1, False)]
    report = exact_without(scene, [], ticks_of(scene))
    chaos.add("partitions added, adopt", 1, report)


@pytest.mark.parametrize("end", cases(["earliest", "latest"], short="earliest"))
def test_input_topic_made_anew(bootstrap: str, chaos: Chaos, tmp_path: Path, end: str) -> None:
    """Adopt begins at either end of the new log, and what is closed stays closed: ticks of those
    buckets are late, and no bar has a key twice."""
    scene = Scene(bootstrap, tmp_path)
    first_run(scene)
    before = ticks_of(scene)
    delete_topic(scene, scene.settings.input_topic)
    scene.make_topic(scene.settings.input_topic)
    scene.produce([tick("b", "A", 100)])

    assert "made anew" in refused(scene.engine())
    assert "it is another log" in state(scene, "adopt", "--to", end, "--yes")

    with scene.engine() as engine:
        scene.produce([tick("b", "A", LATER), tick("b", "A", LATER + 2 * SECOND)])
        bars = scene.until_bars(engine.until_ready(), 3)
    assert brief(bars) == [(0, 0, 1, False), (1, 1, 1, True), (2, 2, 1, False)]
    late = [letter.header("source_offset") for letter in scene.late()]
    assert late == ([b"0"] if end == "earliest" else [])
    of_old = exact_without(scene, [1], before, slice(1))
    of_new = exact_without(scene, [0], ticks_of(scene), slice(1, None))
    report = together(of_old, of_new, Report(ticks_in=len(late), late=len(late)))
    chaos.add(f"input topic made anew, adopt --to {end}", 1, report)


# -- state that is gone or unreadable ----------------------------------------------------------


@pytest.mark.parametrize("command", cases(["adopt", "reset"], short="adopt"))
def test_state_topic_deleted(bootstrap: str, chaos: Chaos, tmp_path: Path, command: str) -> None:
    """State that vanished is told from a first run by the group's offset. Adopt goes on from
    there; reset begins anew, and bars leave again."""
    scene = Scene(bootstrap, tmp_path)
    scene.produce([tick("b", "A", 0), tick("b", "A", SECOND)])
    with scene.engine(IDLE_TIMEOUT="off") as engine:
        scene.until_bars(engine.until_ready(), 1)
        engine.until("a group offset", lambda: "seq=" in group_metadata(scene))
        assert engine.terminate() == 0
    delete_topic(scene, scene.settings.state_topic)

    said = refused(scene.engine())
    assert "the state is gone" in said
    assert "barengine state adopt --partition 0" in said
    state(scene, command, "--yes")

    scene.produce([tick("b", "A", 1500), tick("b", "A", 3 * SECOND)])
    adopted = [(0, 0, 1, False), (2, 2, 1, True), (3, 3, 1, False)]
    anew = [(0, 0, 1, False), (0, 0, 1, False), (1, 2, 2, False), (3, 3, 1, False)]
    wanted = adopted if command == "adopt" else anew
    assert brief(go_on(scene, len(wanted))) == wanted
    if command == "adopt":
        report = exact_without(scene, [1], ticks_of(scene))
    else:  # the first bar leaves again, and is the same
        first, again = scene.bar_records()[:2]
        assert (first.key, first.value) == (again.key, again.value)
        report = exact_without(scene, [], ticks_of(scene), slice(1, None))
    chaos.add(f"state topic deleted, {command}", 1, report)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        (b"partition", b"\x01\xff", "is damaged"),
        (b"broker|b", b"\x63whatever", "has version 99"),
        pytest.param(b"broker|b", b"\x00", "has version 0", marks=pytest.mark.full),
        pytest.param(b"nonsense", b"\x01", "is of no known kind", marks=pytest.mark.full),
    ],
)
def test_unreadable_state(
    bootstrap: str, chaos: Chaos, tmp_path: Path, key: bytes, value: bytes, words: str
) -> None:
    """A record that cannot be read is named with the command that gives the state up; adopt
    names it, too; after a reset to behind C no bar has left twice."""
    scene = Scene(bootstrap, tmp_path)
    first_run(scene)
    write(bootstrap, scene.settings.state_topic, [Record(value, key)])

    said = refused(scene.engine())
    assert words in said
    command = "barengine state reset --partition 0"
    assert command in said
    assert command in state(scene, "adopt", "--yes", code=FAILED)
    state(scene, "reset", "--partition", "0", "--to", "2", "--yes")

    scene.produce([tick("b", "A", 1100), tick("b", "A", 2 * SECOND)])
    assert brief(go_on(scene, 3)) == [(0, 0, 1, False), (2, 2, 1, True), (3, 3, 1, False)]
    report = exact_without(scene, [1], ticks_of(scene))
    chaos.add(f"state record {words}, reset", 1, report)
