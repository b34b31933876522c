"""What ``barengine state`` does and refuses; tests/chaos/test_state_faults.py has each situation
that asks for it.

0 s        1 s        2 s                       C = 2 after the first run: the bar of 0 s has
| offset 0 | offset 1 | ...                     left, the window of 1 s is open (L = 1)
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.broker.mend import FAILED, MISCONFIGURED, brief, first_run, go_on, state
from tests.broker.scene import LONG_SESSION, Scene
from tests.broker.ticks import tick


def test_nothing_to_adopt(bootstrap: str, tmp_path: Path) -> None:
    """Where recovery would go on, adopt changes nothing; the same before the first run."""
    scene = Scene(bootstrap, tmp_path)
    assert "nothing to adopt" in state(scene, "adopt", "--yes")
    first_run(scene)
    before = scene.state()

    assert "nothing to adopt" in state(scene, "adopt", "--yes")

    assert scene.state() == before
    assert brief(go_on(scene, 2)) == [(0, 0, 1, False), (1, 1, 1, False)]
    scene.verify()


def test_reset_to_the_beginning(bootstrap: str, tmp_path: Path) -> None:
    """Everything is computed again, whole; the bars that had left are there twice, as announced."""
    scene = Scene(bootstrap, tmp_path)
    first_run(scene)

    said = state(scene, "reset", "--yes")

    assert "written a second time" in said
    assert scene.settings.bar_topic in said
    assert brief(go_on(scene, 3)) == [(0, 0, 1, False), (0, 0, 1, False), (1, 1, 1, False)]


def test_reset_to_a_time(bootstrap: str, tmp_path: Path) -> None:
    """A time is looked up among Kafka's timestamps; behind the last of them is the end."""
    scene = Scene(bootstrap, tmp_path)
    first_run(scene)

    assert "begins at offset 1;" in state(scene, "reset", "--to", "2025-06-15T15:06:41", "--yes")
    assert scene.state().partition is not None
    assert "begins at offset 2;" in state(scene, "reset", "--to", "2025-06-16", "--yes")
    [partition] = [scene.state().partition]
    assert partition is not None
    assert (partition.commit_offset, partition.low_water) == (2, 2)
    assert scene.state().brokers == {}


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["reset", "--to", "yesterday"], "--to is 'yesterday'"),
        (["reset", "--to", "1"], "add --partition"),
        (["reset", "--to", "3", "--partition", "0"], "has the offsets 0 to 2"),
        (["reset", "--partition", "1"], "there are 0 to 0"),
        (["adopt", "--to", "5"], "write earliest or latest"),
    ],
)
def test_wrong_arguments(bootstrap: str, tmp_path: Path, words: list[str], wrong: str) -> None:
    """A place that there is not is refused, and nothing is changed."""
    scene = Scene(bootstrap, tmp_path)
    first_run(scene)
    before = scene.state()

    assert wrong in state(scene, *words, "--yes", code=MISCONFIGURED)

    assert scene.state() == before


def test_a_running_engine_is_left_alone(bootstrap: str, tmp_path: Path) -> None:
    """While a member is in the group nothing is done, and the engine goes on."""
    scene = Scene(bootstrap, tmp_path, settings=LONG_SESSION)
    with scene.engine() as engine:
        engine.until_ready()
        for command in ("reset", "adopt"):
            assert "Stop every engine" in state(scene, command, "--yes", code=FAILED)
        scene.produce([tick("b", "A", 0)])
        assert scene.finish(engine).bars_exact == 1


def test_it_asks(bootstrap: str, tmp_path: Path) -> None:
    """Without --yes and without an answer nothing is done."""
    scene = Scene(bootstrap, tmp_path)
    first_run(scene)
    before = scene.state()

    assert "Do it?" in state(scene, "reset", code=1)

    assert scene.state() == before
