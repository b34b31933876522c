"""The walk of docs/operations.md, as far as Kafka goes: its settings, commands and programs."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.processes import PATIENCE_S

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "operations.md").read_text()
PROGRAMS: Final = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SETTINGS: Final = re.search(r"^```\n((?:export .*\n)+)```", PAGE, re.MULTILINE)
BARENGINE: Final = [sys.executable, "-m", "barengine"]


def test_the_walk(bootstrap: str, unique_name: Callable[[str], str], tmp_path: Path) -> None:
    """From an empty cluster to eight bars, each once, with the page's own words."""
    assert SETTINGS is not None
    context = unique_name("walk")
    settings = dict(re.findall(r"(BARENGINE_\w+)=(\S+)", SETTINGS[1]))
    environment = os.environ | settings
    environment |= {"BARENGINE_BOOTSTRAP_SERVERS": bootstrap, "BARENGINE_CONTEXT": context}
    environment |= {"BARENGINE_HTTP_PORT": "0", "PYTHONPATH": str(ROOT)}
    for schema in (ROOT / "config" / "schemas").glob("*.avsc"):
        shutil.copy(schema, tmp_path)
    send, read = (own(program, bootstrap, context) for program in PROGRAMS)

    def start(words: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
        )

    with start([*BARENGINE, "infra", "apply", "--partitions", "4"]) as apply:
        assert apply.wait(PATIENCE_S) == 0
    running = [start([*BARENGINE, "run"]), start([sys.executable, "-c", send])]
    try:
        with start([sys.executable, "-c", read]) as reader:
            lines, _ = reader.communicate(timeout=PATIENCE_S)
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE_S)
    keys = [line.split(" ")[0] for line in lines.splitlines()]
    names = {f"{broker}|{symbol}" for broker in ("xnas", "xlon") for symbol in ("ACME", "BOLT")}
    assert {key.rpartition("|")[0] for key in keys} <= names
    assert len(set(keys)) == len(keys) == 8


def own(program: str, bootstrap: str, context: str) -> str:
    """The program with another address, and names that no other test has."""
    own_names = re.sub(r'"(ticks|bar_5s|reader)"', rf'"{context}.\1"', program)
    assert own_names != program
    return own_names.replace("localhost:9092", bootstrap)
