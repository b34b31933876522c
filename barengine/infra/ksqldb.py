"""Bars in ksqlDB: a stream and a table over each topic of bars.

https://docs.ksqldb.io/en/latest/developer-guide/ksqldb-reference/create-stream/
https://docs.ksqldb.io/en/latest/developer-guide/ksqldb-reference/create-table/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from barengine.codec.bar import bar_key_schema, bar_schema
from barengine.errors import ConfigurationError
from barengine.infra.history import Entry
from barengine.infra.ksqldb_client import KsqlDb, Source
from barengine.infra.model import Change, Findings, Kind, LeftAlone, Resource, Step
from barengine.kafka.topic import Role, TopicSpec
from barengine.model import KeyFormat
from barengine.settings import Settings

_TYPES: Final = {
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "enum": "VARCHAR",
    "timestamp-millis": "TIMESTAMP",
    "date": "DATE",
}
"""Avro's types, logical ones first, as ksqlDB reads them."""

_TEXT_KEY: Final = ("bar_key VARCHAR",)
"""``broker|symbol|bucket_start``; the value has the three for themselves."""

_NO_WORD_RE: Final = re.compile(r"[^A-Za-z0-9_]")


class Statement(NamedTuple):
    """One statement, and what ksqlDB lists once it is done."""

    source: Source
    text: str

    @property
    def resource(self) -> Resource:
        """What the history remembers of it."""
        kind = self.source.kind.lower()
        return Resource(Kind.KSQLDB, self.source.name, {"statement": self.text}, f"{kind} of bars")


def statements(settings: Settings, specs: Sequence[TopicSpec]) -> list[Statement]:
    """A stream and a table over each topic of bars.

    Raises:
        ConfigurationError: there is no schema registry, without which ksqlDB reads no Avro.
    """
    if settings.schema_registry_url is None:
        raise ConfigurationError(
            "ksqlDB reads Avro through a schema registry only, and the bars are written without: "
            "set BARENGINE_SCHEMA_REGISTRY_URL"
        )
    topics = [spec.name for spec in specs if spec.role is Role.BARS]
    return [
        statement
        for topic in topics
        for statement in (_stream(settings, topic), _table(settings, topic))
    ]


def _stream(settings: Settings, topic: str) -> Statement:
    """Every bar as it comes, corrections of the same topic too."""
    return _statement(settings, topic, "STREAM", "STREAM", "KEY", "")


def _table(settings: Settings, topic: str) -> Statement:
    """The last bar of each key. SOURCE makes it readable by key without a query of one's own."""
    return _statement(settings, topic, "TABLE", "SOURCE TABLE", "PRIMARY KEY", "_table")


def _statement(
    settings: Settings, topic: str, kind: str, what: str, key: str, suffix: str
) -> Statement:
    avro_key = settings.key_format is KeyFormat.AVRO
    # in upper case, as ksqlDB reads names without quotes; in quotes, lest it be a keyword
    name = (_NO_WORD_RE.sub("_", topic) + suffix).upper()
    key_format = "AVRO" if avro_key else "KAFKA"
    keys = tuple(_columns(bar_key_schema(), ())) if avro_key else _TEXT_KEY
    named = [column.split()[0] for column in keys]
    columns = [f"{column} {key}" for column in keys]
    columns += _columns(bar_schema(settings.price_scale), named)
    listed = ",\n".join(f"  {column}" for column in columns)
    text = (
        f"CREATE {what} IF NOT EXISTS `{name}` (\n{listed}\n) WITH (\n"
        f"  KAFKA_TOPIC = '{topic}',\n"
        f"  KEY_FORMAT = '{key_format}',\n"
        f"  VALUE_FORMAT = 'AVRO'\n);"
    )
    return Statement(Source(kind, name, topic, key_format, "AVRO"), text)


def _columns(schema: Mapping[str, Any], without: Sequence[str]) -> Iterator[str]:
    """Name and type of each field; a name may stand in the key or in the value, not in both."""
    for field in schema["fields"]:
        if field["name"] not in without:
            yield f"{field['name']} {_type(field['type'])}"


def _type(avro: Any) -> str:
    if isinstance(avro, str):
        return _TYPES[avro]
    if isinstance(avro, list):
        [one] = (branch for branch in avro if branch != "null")
        return _type(one)
    if avro.get("logicalType") == "decimal":
        return f"DECIMAL({avro['precision']}, {avro['scale']})"
    return _TYPES[avro.get("logicalType", avro["type"])]


async def look(
    ksqldb: KsqlDb, wanted: Sequence[Statement], history: Mapping[str, Entry]
) -> Findings:
    """Compare the statements with the streams and tables that there are.

    ksqlDB does not tell the columns of a statement in a form that could be compared: there the
    history says what was applied.

    Raises:
        BarengineError: no answer.
    """
    findings = Findings()
    there = {source.name: source for source in await ksqldb.sources()}
    for statement in wanted:
        resource = statement.resource
        source = there.get(statement.source.name)
        entry = history.get(resource.id)
        if source is None:
            change = Change("statement", None, resource.sha256[:12])
            step = Step(resource, (change,), True, partial(ksqldb.execute, statement.text))
            findings.verdict(resource, step=step)
        elif source != statement.source:
            what = f"is there as {source.words()}, not as {statement.source.words()}"
            findings.verdict(resource, LeftAlone(resource.id, what, _drop(source)))
        elif entry is not None and entry.sha256 != resource.sha256:
            what = f"was made by another statement, on {entry.applied_at}"
            findings.verdict(resource, LeftAlone(resource.id, what, _drop(source)))
        else:
            findings.verdict(resource)
    return findings


def _drop(source: Source) -> str:
    return f"DROP {source.kind} `{source.name}`; then apply again"
