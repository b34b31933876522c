"""The pages made of the settings: the commented example and the reference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from barengine.settings import KEYS, Settings, load_settings
from barengine.settings.document import _SECTIONS, example, reference
from barengine.settings.sources import SECRET_KEYS

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "config" / "barengine.yaml"
REFERENCE = ROOT / "docs" / "configuration.md"
KEY_LINE = re.compile(r"#(?P<key>\w+):(?: (?P<value>.+))?")


@pytest.fixture
def blocks() -> dict[str, str]:
    """The comment above each key of the example, as one line."""
    found = {}
    for block in EXAMPLE.read_text("utf-8").split("\n\n"):
        *comment, last = block.strip().splitlines()
        if match := KEY_LINE.fullmatch(last):
            found[match["key"]] = " ".join(line.removeprefix("# ") for line in comment)
    return found


@pytest.mark.parametrize(("path", "made"), [(EXAMPLE, example), (REFERENCE, reference)])
def test_a_page_is_current(path: Path, made: object) -> None:
    """What lies in the project is what the settings of today make: `make config-pages`."""
    assert callable(made)
    assert path.read_text("utf-8") == made()


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


def test_the_reference_has_every_key_once() -> None:
    """Under its variable."""
    rows = re.findall(r"^\| `BARENGINE_(\w+)` \|", REFERENCE.read_text("utf-8"), re.MULTILINE)
    assert [row.lower() for row in rows] == list(KEYS)


def test_a_section_begins_with_a_key() -> None:
    """A key that is renamed cannot take its section's title with it unseen."""
    assert KEYS.keys() >= _SECTIONS.keys()
    assert next(iter(KEYS)) in _SECTIONS


def test_every_secret_is_known_as_one() -> None:
    """A type that hides its value and the keys that messages and pages hide are the same."""
    typed = {
        key
        for key, name in KEYS.items()
        if SecretStr in getattr(Settings.model_fields[name].annotation, "__args__", ())
    }
    assert typed == SECRET_KEYS


def test_every_key_says_what_it_is() -> None:
    """A description is a sentence; the documentation is made of them."""
    for key, name in KEYS.items():
        description = Settings.model_fields[name].description
        assert description, key
        assert description.endswith("."), key
