"""Finals and corrections as a KTable or a compacted topic reads them: of each key the newest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.broker.records import Record
from tests.broker.scene import Bar, Scene, decode_bar
from tests.broker.ticks import SECOND, tick

RULES: Final = {
    "ROLLUPS": "5s",
    "CONTINUOUS": "1s,5s",
    "LATE_POLICY": "correct",
    "IDLE_TIMEOUT": "off",
}
OF_ONE_LOG: Final = ("first_offset", "last_offset", "revision")
"""What a bar says of the log that it was made of, or of how it came about."""

IN_TIME: Final = [
    tick("b", "X", at_ms, 10 + at_ms / 1000 % 3)
    for at_ms in range(0, 13 * SECOND, SECOND // 2)
    if at_ms // SECOND not in (3, 4, 7)
]
LATE: Final = [
    tick("b", "X", 3_200, 20.0),  # in the place of a flat bar; the one behind it takes its close
    tick("b", "X", 5_100, 1.0),  # a new low of two bars
    tick("b", "X", 5_900, 30.0),  # the same bars again: a new close
    tick("b", "Y", 4_300, 5.0),  # the first one of its series: flat bars behind it
    tick("b", "X", 11_900, 40.0),  # its second is closed, its five seconds are open
]
END: Final = tick("b", "Z", 20 * SECOND, 1.0)


def run(scene: Scene, ticks: list[Record]) -> dict[str, list[tuple[bytes, Bar]]]:
    """Let an engine read them all; keys and bars of each topic, in order."""
    with scene.engine() as engine:
        engine.until_ready()
        scene.produce([*ticks, END])
        engine.until("all read", lambda: engine.total("position") == len(ticks) + 1)
        assert engine.terminate() == 0, engine.tail()
    settings = scene.settings
    finals = [settings.topic_of(period) for period in settings.periods]
    corrections = [settings.corrections_topic(period) for period in settings.periods]
    return {
        topic.removeprefix(f"{scene.context}."): [
            (one.key or b"", decode_bar(one.value or b"")) for one in scene.records_of(topic)
        ]
        for topic in (*finals, *corrections)
    }


def table(*topics: Iterable[tuple[bytes, Bar]]) -> dict[bytes, Bar]:
    """The newest revision of each key, whichever topic is read first."""
    newest: dict[bytes, Bar] = {}
    for key, bar in (one for topic in topics for one in topic):
        if key not in newest or newest[key]["revision"] < bar["revision"]:
            newest[key] = bar
    return newest


def content(bars: dict[bytes, Bar]) -> dict[bytes, Bar]:
    return {
        key: {name: value for name, value in bar.items() if name not in OF_ONE_LOG}
        for key, bar in bars.items()
    }


def test_the_newest_of_each_key_are_the_bars_of_a_run_in_time(
    bootstrap: str, tmp_path: Path
) -> None:
    """Late ticks make no difference in the end, for bars, roll-ups and flat bars."""
    punctual, tardy = (Scene(bootstrap, tmp_path, 1, RULES) for _ in range(2))
    in_order = sorted([*IN_TIME, *LATE], key=lambda one: one.time_ms)
    expected, found = run(punctual, in_order), run(tardy, [*IN_TIME, *LATE])

    for period in ("1s", "5s"):
        finals, corrections = f"bar_{period}", f"bar_{period}_corrections"
        assert not expected[corrections]
        assert len(found[corrections]) > 2
        for one in (expected, found):
            keys = [key for key, _ in one[finals]]
            assert len(set(keys)) == len(keys)
        wanted = content(table(expected[finals]))
        assert content(table(found[finals], found[corrections])) == wanted
        assert content(table(found[corrections], found[finals])) == wanted
        newest = [bar["revision"] for _, bar in found[corrections]]
        assert min(newest) == 1
    assert max(bar["revision"] for _, bar in found["bar_1s_corrections"]) == 2
