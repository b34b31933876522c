"""SYMBOL_ALIASES: a file of other spellings, checked as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from barengine.service.wiring import fingerprint, symbol_names
from tests.unit.settings.loading import from_environ, problem


@pytest.fixture
def aliases(tmp_path: Path) -> Path:
    """A file to write."""
    return tmp_path / "aliases.yaml"


def test_aliases_are_read_by_broker(aliases: Path) -> None:
    """The setting is a path; numbers and words of YAML are names as any."""
    aliases.write_text("LMAX:\n  cable: GBPUSD\n'*':\n  600: BMW\n  on: ONSEMI\n")
    settings = from_environ(SYMBOL_ALIASES=str(aliases))
    assert settings.public()["symbol_aliases"] == str(aliases)
    names = symbol_names(settings)
    assert names is not None
    asked = [(b"LMAX", b"cable"), (b"X", b"cable"), (b"X", b"600"), (b"LMAX", b"on")]
    assert [names.canonical(*one) for one in asked] == [b"GBPUSD", b"cable", b"BMW", b"ONSEMI"]


def test_without_aliases_and_normal_form_nobody_is_asked() -> None:
    """Names are then their own."""
    assert symbol_names(from_environ()) is None
    assert symbol_names(from_environ(SYMBOL_NORMALIZE="upper")) is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "it is not YAML (line 1)"),
        ("just a word", "it is no table of aliases (line 1)"),
        ("", "it is no table of aliases"),
        ("A:\n  - x", "it is no table of aliases (line 2)"),
        ("A:\n  x: [y]", "there is no name in line 2"),
        ("A:\n  x: ''", "line 2 has not 1 to 256 bytes"),
        ("A:\n  x: y\n  x: z", "'x' is there twice (line 3); keep one"),
        ("A: {}\nB: {}\nA: {}", "'A' is there twice (line 3); keep one"),
    ],
)
def test_a_file_that_is_none_is_refused_by_line(aliases: Path, text: str, said: str) -> None:
    """The message names the setting, the file, and where in it to look."""
    aliases.write_text(text)
    found = problem(SYMBOL_ALIASES=str(aliases))
    assert found.startswith(f"BARENGINE_SYMBOL_ALIASES is {str(aliases)!r}: ")
    assert said in found


@pytest.mark.parametrize(
    ("text", "normalize", "said"),
    [
        ("A: {x: y, y: z}", "none", "'x' of broker 'A' stands for 'y', which stands for 'z'"),
        ("'*': {x: y}\nA: {y: z}", "none", "'x' of broker 'A' stands for 'y', which stands"),
        ("A: {x: Y, y: z}", "upper", "'X' of broker 'A' stands for 'Y', which stands for 'Z'"),
        ("A: {x: y, X: z}", "upper", "'X' of broker 'A' is an alias of two symbols; keep one"),
    ],
)
def test_a_symbol_is_no_alias_itself(aliases: Path, text: str, normalize: str, said: str) -> None:
    """In normal form, of the broker and of every broker together."""
    aliases.write_text(text)
    assert said in problem(SYMBOL_ALIASES=str(aliases), SYMBOL_NORMALIZE=normalize)


@pytest.mark.parametrize("text", ["A: {x: Y, y: z}", "'*': {x: y}\nA: {x: z}", "A: {x: x}"])
def test_what_only_looks_like_a_chain_is_none(aliases: Path, text: str) -> None:
    """Case counts without a normal form, and a broker's own alias goes first."""
    aliases.write_text(text)
    assert from_environ(SYMBOL_ALIASES=str(aliases)).symbol_aliases is not None


def test_the_fingerprint_knows_what_aliases_say_and_not_how(aliases: Path) -> None:
    """Another order or another file is the same; another symbol is not. Without them, and without
    sizes, it is that of releases that had neither."""
    texts = ("A: {x: y, v: w}", "A:\n  v: w\n  x: y\n", "A: {x: y, v: u}")
    found = []
    for text in texts:
        aliases.write_text(text)
        found.append(fingerprint(from_environ(SYMBOL_ALIASES=str(aliases)), 4, None))
    assert found[0] == found[1] != found[2]
    plain = fingerprint(from_environ(), 4, None)
    assert not {"SYMBOL_ALIASES", "SYMBOL_NORMALIZE", "FIELD_SIZE", "FIELD_FLAGS"} & plain.keys()
    changed = fingerprint(
        from_environ(FIELD_SIZE="s", FIELD_FLAGS="f", SYMBOL_NORMALIZE="upper"), 4, None
    )
    assert changed == plain | {"FIELD_SIZE": "s", "FIELD_FLAGS": "f", "SYMBOL_NORMALIZE": "upper"}


@pytest.mark.parametrize(
    "more", [{"ROLLUPS": "5m"}, {"CONTINUOUS": "1m"}, {"LATE_POLICY": "correct"}]
)
def test_the_fingerprint_knows_the_watermark_where_there_is_more_than_base_bars(
    more: dict[str, str],
) -> None:
    """Base bars alone go on in either mode; what is made of them does not."""
    plain = fingerprint(from_environ(WATERMARK="series"), 4, None)
    assert "WATERMARK" not in plain
    assert fingerprint(from_environ(WATERMARK="series", **more), 4, None) == plain | {
        "WATERMARK": "series"
    }


def test_flags_need_a_size() -> None:
    """Else there is nothing but a price to touch."""
    said = problem(FIELD_FLAGS="flags")
    assert "BARENGINE_FIELD_FLAGS is 'flags' and BARENGINE_FIELD_SIZE is not set" in said
    assert "set FIELD_SIZE, or remove it" in said
