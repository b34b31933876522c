"""docs/operations.md quotes messages: each is in the code, word for word."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
LINES = PAGE.partition("\n## When it stops\n")[2].splitlines()


def quoted() -> Iterator[str]:
    """The first `code` of each row of a table, all of them where there are several."""
    for line in LINES:
        first = line.split("|")[1] if line.startswith("| `") else ""
        yield from re.findall(r"`([^`]+)`", first)
    yield from re.findall(r"^`([^`]+)`:", "\n".join(LINES), re.MULTILINE)


def texts(path: Path) -> Iterator[str]:
    """Every string of a module; what an f-string computes is left out as {}."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                part.value
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
                else "{}"
                for part in node.values
            )


CODE = "\n".join(text for path in (ROOT / "barengine").rglob("*.py") for text in texts(path))


@pytest.mark.parametrize("message", sorted(set(quoted())))
def test_a_message_of_the_docs_is_in_the_code(message: str) -> None:
    """Who greps the code for what the docs quote finds it."""
    assert message in CODE


def test_the_docs_quote_something() -> None:
    """The tables are found at all."""
    assert len(set(quoted())) > 40
