"""When an engine refuses to go on: the stored state, the log and the settings do not fit."""

from __future__ import annotations

import json

import pytest

from barengine.engine.partition import LogRange, PartitionEngine
from barengine.engine.state import PartitionRecord, StateImage
from barengine.errors import StateError
from barengine.kernel import Kernel
from barengine.model import LatePolicy
from tests.unit.engine.sim import FINGERPRINT, Rules

_STORED = PartitionRecord(50, 40, 3, True, '{"WINDOW": "1s"}')


def _engine(
    kernel: type[Kernel],
    stored: PartitionRecord = _STORED,
    start: int = 0,
    end: int = 100,
    fingerprint: dict[str, str] = FINGERPRINT,
) -> PartitionEngine:
    rules = Rules()
    return PartitionEngine(
        kernel(rules.kernel_config(began_whole=True)),
        StateImage(stored),
        LogRange(start, end),
        fingerprint,
        start,
        LatePolicy.TOPIC,
        rules.restore_max,
    )


def test_going_on_from_stored_offsets(kernel: type[Kernel]) -> None:
    """L and C at the very edges of the log are fine."""
    engine = _engine(kernel, start=40, end=50)
    assert (engine.position, engine.commit_offset, engine.seq) == (40, 50, 3)
    assert engine.replaying


def test_changed_settings_are_named(kernel: type[Kernel]) -> None:
    """A setting that gives old offsets another meaning may not change; the error names it."""
    with pytest.raises(StateError) as error:
        _engine(kernel, fingerprint={"WINDOW": "5m", "ORDER": "offset"})
    assert "WINDOW was 1s, is now 5m" in str(error.value)
    assert "ORDER was unset, is now offset" in str(error.value)


def test_retention_has_cut_low_water(kernel: type[Kernel]) -> None:
    """Ticks of an open window are gone from the input: going on would lose them silently."""
    with pytest.raises(StateError, match=r"offsets 40 to 40 are needed .* retention"):
        _engine(kernel, start=41)


def test_retention_has_cut_more_than_was_processed(kernel: type[Kernel]) -> None:
    """The same where even C is gone."""
    stored = _STORED._replace(low_water=50)
    with pytest.raises(StateError, match="offsets 50 to 59 are needed"):
        _engine(kernel, stored, start=60)


def test_the_log_is_shorter_than_what_was_processed(kernel: type[Kernel]) -> None:
    """A topic that was made anew under the same name is no continuation."""
    with pytest.raises(StateError, match="50 records are processed, the input topic ends at 49"):
        _engine(kernel, end=49)


def test_a_state_that_does_not_tell_its_schema(kernel: type[Kernel]) -> None:
    """An earlier release wrote it: it is accepted, and the next commit tells."""
    now = {**FINGERPRINT, "INPUT_SCHEMA": "a"}
    stored = _STORED._replace(low_water=50)
    snapshot = _engine(kernel, stored, fingerprint=now).snapshot()
    own = StateImage.read(snapshot.all_state()).partition
    assert own is not None
    assert json.loads(own.fingerprint) == now


def test_settings_that_may_change(kernel: type[Kernel]) -> None:
    """The order of settings and of their words in the record does not matter."""
    stored = _STORED._replace(fingerprint='{"B": "2", "A": "1"}')
    assert _engine(kernel, stored, fingerprint={"A": "1", "B": "2"}).seq == 3
