"""README.md and docs/*.md: what they tell people to type and to click works."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from barengine import cli
from barengine.settings import ENV_PREFIX, KERNEL_VARIABLE, Settings

ROOT: Final = Path(__file__).parents[2]
README: Final = ROOT / "README.md"
PAGES: Final = [README, *sorted((ROOT / "docs").glob("*.md"))]
BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
VARIABLES: Final = {ENV_PREFIX + key.upper() for key in Settings().public()} | {KERNEL_VARIABLE}


def name_of(page: Path) -> str:
    return page.name


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return BLOCK.sub("", page.read_text())


# -- commands ----------------------------------------------------------------------------------

PROMPT: Final = re.compile(
    r"^(?:\$ )?(?:[A-Z_]+=\S+ )*barengine ((?:{})\b.*)".format("|".join(cli._COMMANDS))
)
BEHIND: Final = re.compile(r" {2,}\S.*| [#|>&].*")
PLACEHOLDERS: Final = {"N": "1", "OFFSET": "1", "PLACE": "latest", "TIME": "2026-09-21T14:00"}


def commands() -> Iterator[str]:
    """Each call of barengine on any page, without what the shell does with it."""
    for page in PAGES:
        for _, body in BLOCK.findall(page.read_text()):
            for line in body.replace("\\\n", " ").splitlines():
                if found := PROMPT.match(re.sub(r"(?<=plan|pply)  (?=--)", " ", line)):
                    yield BEHIND.sub("", found[1])
        for found in re.finditer(r"`barengine ([a-z][^`]*)`", prose(page)):
            yield from choices(" ".join(found[1].split()))


def choices(text: str) -> Iterator[str]:
    """`config show|check` is two commands."""
    head, _, last = text.rpartition(" ")
    yield from (f"{head} {one}" if head else one for one in last.split("|"))


@pytest.mark.parametrize("text", sorted(set(commands())))
def test_a_command_of_the_docs_is_one(text: str) -> None:
    """The real parser takes it, with every option and argument."""
    first, *words = (PLACEHOLDERS.get(w, w) for w in shlex.split(re.sub(r"[][]", "", text)))
    command: Any = cli._load(first)
    for sub in [words.pop(0)] if words and hasattr(command, "commands") else []:
        command = command.commands[sub]
    if not hasattr(command, "commands"):
        command.make_context(first, words)


def test_a_wrong_command_would_be_found() -> None:
    """Another option, and one without its value, are refused."""
    for words in (["--partitionen", "4"], ["--partition"]):
        with pytest.raises(Exception, match="partition"):
            cli._load("state").commands["adopt"].make_context("adopt", words)


def test_the_commands_are_found() -> None:
    """In blocks and in the text."""
    assert {"run", "infra plan", "state adopt [--partition N]"} <= set(commands())
    assert len(set(commands())) > 30


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_variable_of_the_docs_is_a_setting(page: Path) -> None:
    """Nobody sets what nothing reads."""
    named = set(re.findall(rf"\b{ENV_PREFIX}[A-Z_]*[A-Z]\b(?!_?[…*])", page.read_text()))
    assert named <= VARIABLES


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_of_the_docs_is_python(page: Path) -> None:
    """It can be read at least; the walk of operations.md runs elsewhere in the tests."""
    for kind, body in BLOCK.findall(page.read_text()):
        if kind == "python":
            assert ast.parse(body).body


# -- links -------------------------------------------------------------------------------------

LINK: Final = re.compile(r"\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    plain = (re.sub(r"\]\([^)]*\)", "]", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """File and anchor of each link that stays in the project."""
    for target in LINK.findall(prose(page)):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            yield (page.parent / path).resolve() if path else page, anchor


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """The file is there, and the heading in it."""
    for path, anchor in links(page):
        assert path.exists(), path
        assert not anchor or anchor in anchors(path), f"{path.name}#{anchor}"


def test_readme_leads_to_every_page() -> None:
    """Each page under docs is one click away."""
    assert {path for path, _ in links(README)} >= set(PAGES) - {README}


def test_links_are_found() -> None:
    """Between the pages and inside of one."""
    assert ("operations.md", "when-it-stops") in {
        (path.name, anchor) for path, anchor in links(ROOT / "docs" / "operations.md")
    }
