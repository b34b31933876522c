"""docs/infrastructure.md against the commands that it speaks of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import typer

from barengine.cli.infra import app
from barengine.infra import metrics
from barengine.kafka.topic import Role
from barengine.service.wanted import suggested_input, wanted
from tests.unit.infra.build import settings

DOCS: Final = (Path(__file__).parents[3] / "docs" / "infrastructure.md").read_text()


def options() -> set[str]:
    """Every long option of plan and apply."""
    group = typer.main.get_command(app)
    commands = [group.get_command(None, name) for name in ("plan", "apply")]  # type: ignore[attr-defined]
    return {name for one in commands for option in one.params for name in option.opts}


def test_every_option_of_the_docs_exists_and_every_option_is_in_the_docs() -> None:
    """In commands of barengine infra, and in the text."""
    own = {"--config", "-c", "--help"}
    quoted = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", _without_kafka_s_commands()))
    assert quoted == options() - own


def _without_kafka_s_commands() -> str:
    text = re.sub(r"\$acl .+|acl=\"[^\"]+\"", "", DOCS)
    return re.sub(r"kafka-[a-z-]+\.sh(\\\n|.)+", "", text)


def test_the_metrics_are_those_of_the_code() -> None:
    """Each name once in the table."""
    names = set(re.findall(r"^\| `(barengine_\w+)", DOCS, re.MULTILINE))
    assert names == {metrics.APPLIED, metrics.SKIPPED, metrics.SECONDS, metrics.LAST_RUN}


def test_every_topic_is_in_the_table() -> None:
    """Whoever adds a topic says why it is there."""
    given = settings()
    for spec in wanted(given, suggested_input(given)):
        name = "{group}.{input}.state" if spec.role is Role.STATE else spec.name
        assert re.search(rf"^\|.*`{re.escape(name)}`", DOCS, re.MULTILINE), name
