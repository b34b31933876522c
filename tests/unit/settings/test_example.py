"""The commented example config/barengine.yaml against the keys there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from barengine.settings import KEYS, Settings, load_settings

EXAMPLE = Path(__file__).parents[3] / "config" / "barengine.yaml"
KEY_LINE = re.compile(r"#(?P<key>\w+):(?: (?P<value>.+))?")


@pytest.fixture
def blocks() -> dict[str, str]:
    """The comment above each key, as one line."""
    found = {}
    for block in EXAMPLE.read_text("utf-8").split("\n\n"):
        *comment, last = block.strip().splitlines()
        if match := KEY_LINE.fullmatch(last):
            found[match["key"]] = " ".join(line.removeprefix("# ") for line in comment)
    return found


def test_the_example_has_every_key_in_order(blocks: dict[str, str]) -> None:
    """A key is in the example unless it cannot be in a file; config cannot."""
    assert list(blocks) == [key for key in KEYS if key != "config"]


def test_the_example_documents_a_key_by_its_description(blocks: dict[str, str]) -> None:
    """There is one sentence about a key, and the example does not drift from it."""
    described = {key: Settings.model_fields[KEYS[key]].description for key in blocks}
    assert blocks == described


def test_the_example_as_it_is_changes_nothing() -> None:
    """Every key is commented out."""
    assert load_settings(EXAMPLE, {}).public() == Settings().public() | {"config": str(EXAMPLE)}


def test_the_example_without_comment_signs_is_the_defaults(tmp_path: Path) -> None:
    """What the example shows is loadable, and is the default of every key."""
    lines = EXAMPLE.read_text("utf-8").splitlines()
    keys = tmp_path / "all.yaml"
    keys.write_text("\n".join(line[1:] for line in lines if KEY_LINE.fullmatch(line)))
    assert load_settings(keys, {}).public() == Settings().public() | {"config": str(keys)}


def test_every_key_says_what_it_is() -> None:
    """A description is a sentence; the documentation is made of them."""
    for key, name in KEYS.items():
        description = Settings.model_fields[name].description
        assert description, key
        assert description.endswith("."), key
