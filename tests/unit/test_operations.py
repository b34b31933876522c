"""docs/operations.md quotes messages: each is in the code, word for word, and none is missing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from barengine import errors

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
LINES = PAGE.partition("\n## When it stops\n")[2].splitlines()


def quoted() -> Iterator[str]:
    """Each `code` of a row's first column, and the one that a paragraph begins with."""
    for line in LINES:
        first = line.split("|")[1] if line.startswith("| ") else ""
        yield from re.findall(r"`([^`]+)`", first)
    yield from re.findall(r"^`([^`]+)`:", "\n".join(LINES), re.MULTILINE)


def text_of(node: ast.AST) -> str | None:
    """A string as it is written; what an f-string computes is left out as {}."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "{}" for part in node.values)
    return None


def texts(path: Path) -> Iterator[str]:
    """Every string of a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        text = text_of(node)
        if text is not None:
            yield text


CODE = "\n".join(
    [
        *(text for path in (ROOT / "barengine").rglob("*.py") for text in texts(path)),
        *(path.read_text() for path in (ROOT / "barengine").rglob("*.pyx")),
    ]
)


@pytest.mark.parametrize("message", sorted(set(quoted())))
def test_a_message_of_the_docs_is_in_the_code(message: str) -> None:
    """Who greps the code for what the docs quote finds it."""
    assert message in CODE


def test_the_docs_quote_something() -> None:
    """The tables are found at all."""
    assert len(set(quoted())) > 40


# -- the other way round -------------------------------------------------------------------

SAYING: Final = ("service", "kafka", "engine", "schedule")
"""What an engine does, and so what its operator may read."""

OURS: Final = {name for name, one in vars(errors).items() if isinstance(one, type)}
LOGGED: Final = ("warning", "error", "exception", "critical")

ELSEWHERE: Final = {
    "LocalKafkaError": "barengine kafka and the demo: no engine, and each text says what to do",
    "{}-{}: {}. Mend the cause, or stop every engine": "a frame around what has a row of its own",
    "topic {}: {}": "the same",
    " must be fenced before it can commit": "a broken promise between two of our own parts",
    " is not assigned to this member": "the `error` of `fenced`",
}
"""Error classes and pieces of messages that need no row, and why."""


def first_strings(node: ast.AST) -> Iterator[str]:
    """The strings in a message's argument, but none that is inside of another."""
    text = text_of(node)
    if text is not None:
        yield text
        return
    for child in ast.iter_child_nodes(node):
        yield from first_strings(child)


def said() -> Iterator[tuple[str, str, str]]:
    """Where, by what, and what: the event of each warning, the text of each error of ours.

    An event that is chosen elsewhere is given there as ``event=``; a text of one that is computed
    whole is what other errors say.
    """
    for path in sorted(one for part in SAYING for one in (ROOT / "barengine" / part).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", None) or getattr(node.func, "attr", "")
            found: list[tuple[str, str]] = []
            if name in OURS:
                found = [(name, text) for one in node.args for text in first_strings(one)]
            elif name in LOGGED and node.args:
                found = [("log", text) for text in first_strings(node.args[0])]
            events = [one.value for one in node.keywords if one.arg == "event"]
            found += [("log", text) for one in events for text in first_strings(one)]
            for by, text in found:
                if re.search("[a-z]", text):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", by, text


SAID: Final = list(said())
EVENTS: Final = {one for one in quoted() if re.fullmatch("[a-z_]+", one)}
PIECES: Final = set(quoted()) - EVENTS


@pytest.mark.parametrize(("by", "text"), sorted({(by, text) for _, by, text in SAID}))
def test_what_an_engine_says_is_in_the_docs(by: str, text: str) -> None:
    """Who reads a warning, or the last words of an engine, finds what to do."""
    where = [place for place, *one in SAID if one == [by, text]]
    if by == "log":
        assert text in EVENTS, f"{where} has no row under `Warnings in the log`"
    elif by not in ELSEWHERE and not any(piece in text for piece in ELSEWHERE):
        assert any(piece in text for piece in PIECES), f"{where} has no row"


def test_what_needs_no_row_is_still_said() -> None:
    """The list holds nothing that is gone."""
    for one in ELSEWHERE:
        assert any(one == by or one in text for _, by, text in SAID), one


def test_the_engine_says_something() -> None:
    """Warnings and errors are found at all."""
    assert len({text for _, by, text in SAID if by == "log"}) > 15
    assert len({text for _, by, text in SAID if by != "log"}) > 50
