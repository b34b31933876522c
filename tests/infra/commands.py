"""``barengine infra`` as its users run it: a process of its own, seen by exit code and output."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from tests.broker.engine_process import ROOT, environment
from tests.broker.records import read_output
from tests.broker.scene import Scene
from tests.processes import PATIENCE_S

DONE: Final = 0
FAILED: Final = 1
MISCONFIGURED: Final = 2
TO_DO: Final = 3

COMMAND: Final = ("-m", "barengine", "infra")
HISTORY: Final = "_barengine_migrations"


class Said(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def start(
    scene: Scene, *words: str, command: Sequence[str] = COMMAND, **settings: str
) -> subprocess.Popen[str]:
    """A command that runs beside the test."""
    given = {**scene.given, "AUTO_CREATE_TOPICS": "off", **settings}
    return subprocess.Popen(
        [sys.executable, *command, *words],
        cwd=ROOT,
        env=environment(given),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> Said:
    """Wait for its end."""
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert "Traceback" not in err, err
    return Said(process.returncode, out, err)


def infra(scene: Scene, *words: str, **settings: str) -> Said:
    """Run a command to its end."""
    return finish(start(scene, *words, **settings))


def apply(scene: Scene, *words: str, **settings: str) -> Any:
    """Apply, successfully; its JSON."""
    said = infra(scene, "apply", "--json", *words, **settings)
    assert said.code == DONE, said
    return said.json


def plan(scene: Scene, *words: str, **settings: str) -> Any:
    """A plan's JSON; its exit code must fit."""
    said = infra(scene, "plan", "--json", *words, **settings)
    assert said.code in (DONE, TO_DO), said
    assert (said.code == TO_DO) == (said.json["changes"] > 0)
    return said.json


def changes(said: Any) -> dict[str, dict[str, tuple[str | None, str]]]:
    """Before and after of every key, by resource, of what is planned or was applied."""
    steps = said.get("steps") or said.get("applied") or ()
    return {
        step["resource"]: {one["key"]: (one["have"], one["want"]) for one in step["changes"]}
        for step in steps
    }


def history(scene: Scene) -> list[dict[str, Any]]:
    """Every entry of the history, in order."""
    topic = f"{scene.settings.context}.{HISTORY}"
    records = read_output(scene.bootstrap, topic)
    entries = [json.loads(record.value or b"") for record in records]
    assert [(record.key or b"").decode() for record in records] == [e["resource"] for e in entries]
    return entries
