"""What decodes ticks, as the fingerprint of the state knows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from barengine.codec.fields import TICK_SCHEMA
from barengine.service.schemas import SchemaBook
from barengine.service.wiring import fingerprint
from tests.unit.settings.loading import from_environ

NAMES = {"INPUT_SCHEMA", "SCHEMA_REGISTRY_URL"}


def with_fields(*changed: tuple[str, Any]) -> dict[str, Any]:
    """The built-in schema with other types of some fields."""
    types = dict(changed)
    fields = [field | {"type": types.pop(field["name"], field["type"])} for field in plain()]
    more = [{"name": name, "type": kind} for name, kind in types.items()]
    return {**TICK_SCHEMA, "fields": [*fields, *more]}


def plain() -> list[dict[str, Any]]:
    """The fields of the built-in schema."""
    found: list[dict[str, Any]] = TICK_SCHEMA["fields"]
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file to write."""
    return tmp_path / "tick.avsc"


def digest_of(path: Path, schema: Any, **layout: Any) -> str:
    """What a process that starts with this file stores."""
    path.write_text(json.dumps(schema, **layout))
    found = SchemaBook(from_environ(INPUT_SCHEMA=str(path)), None).digest
    assert found is not None
    return found


def test_a_schema_is_known_by_what_it_says(path: Path) -> None:
    """Not by its path, its layout, the order of its keys or its words to people."""
    first = digest_of(path, TICK_SCHEMA)
    backwards = dict(reversed(TICK_SCHEMA.items())) | {"doc": "other words"}
    backwards["fields"] = [{**field, "doc": "too"} for field in plain()]
    assert digest_of(path.with_name("other.avsc"), backwards, indent=4) == first


@pytest.mark.parametrize(
    "other",
    [
        with_fields(("more", "string")),
        with_fields(("bid", "float")),
        with_fields(("timestamp", {"type": "long", "logicalType": "timestamp-micros"})),
        {**TICK_SCHEMA, "fields": plain()[::-1]},
    ],
    ids=["one more field", "type", "unit of time", "order"],
)
def test_what_reads_bytes_otherwise_is_another_schema(path: Path, other: dict[str, Any]) -> None:
    """Whatever changes the tick that bytes become: the unit of its time, too."""
    assert digest_of(path, other) != digest_of(path, TICK_SCHEMA)


def test_the_built_in_schema_is_one_as_any(path: Path) -> None:
    """Without a file it is that of the built-in schema: another one in its place is a change, and
    the same one is none."""
    assert SchemaBook(from_environ(), None).digest == digest_of(path, TICK_SCHEMA)


def test_a_file_that_changes_under_way(path: Path) -> None:
    """What a process stores is of the schema that it reads ticks by, not of what the file says by
    then."""
    path.write_text(json.dumps(TICK_SCHEMA))
    book = SchemaBook(from_environ(INPUT_SCHEMA=str(path)), None)
    before = book.digest
    path.write_text(json.dumps(with_fields(("more", "string"))))
    assert book.digest == before


def test_the_fingerprint_knows_what_decodes_ticks() -> None:
    """One schema by its content; of a registry only that there is one: it may move. JSON has
    neither."""
    local = fingerprint(from_environ(), 4, "a")
    assert (local["INPUT_SCHEMA"], local.keys() & NAMES) == ("a", {"INPUT_SCHEMA"})
    here, there = (
        fingerprint(from_environ(SCHEMA_REGISTRY_URL=url), 4, None)
        for url in ("http://here:1", "http://user:secret@there:2")
    )
    assert here == there
    assert here.keys() & NAMES == {"SCHEMA_REGISTRY_URL"}
    settings = from_environ(INPUT_FORMAT="json")
    assert not fingerprint(settings, 4, SchemaBook(settings, None).digest).keys() & NAMES
