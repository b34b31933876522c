"""Statements for ksqlDB, and a server that is asked what there is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from barengine.codec.bar import bar_schema
from barengine.errors import BarengineError, ConfigurationError
from barengine.infra import ksqldb
from barengine.infra.history import Entry
from barengine.infra.ksqldb import Statement, statements
from barengine.infra.ksqldb_client import KsqlDb
from barengine.infra.model import Findings, Resource
from barengine.infra.topics import Sizes, desired
from barengine.settings import Settings
from tests.unit.infra.build import settings
from tests.unit.infra.ksqldb_stub import KsqlDbStub, ksqldb_stub


def with_registry(**keys: str) -> Settings:
    return settings(SCHEMA_REGISTRY_URL="http://registry:8081", **keys)


def made_of(**keys: str) -> list[Statement]:
    given = with_registry(**keys)
    return statements(given, desired(given, Sizes()))


def columns(statement: Statement) -> dict[str, str]:
    """Type and role of each column by its name."""
    inside = statement.text.partition("(\n")[2].partition("\n)")[0]
    return dict(line.strip().rstrip(",").split(" ", 1) for line in inside.splitlines())


@pytest.fixture
def stub() -> Iterator[KsqlDbStub]:
    with ksqldb_stub() as one:
        yield one


async def look(stub: KsqlDbStub, history: dict[str, Entry] | None = None) -> Findings:
    return await ksqldb.look(KsqlDb(stub.url), made_of(), history or {})


# -- statements ------------------------------------------------------------------------------


def test_a_stream_and_a_table_over_each_topic_of_bars() -> None:
    """Bars as they come, and the last one of each key; made only where there is none."""
    stream, table = made_of(CONTEXT="fx-desk")
    assert stream.text.startswith("CREATE STREAM IF NOT EXISTS `FX_DESK_BAR_1M` (")
    assert table.text.startswith("CREATE SOURCE TABLE IF NOT EXISTS `FX_DESK_BAR_1M_TABLE` (")
    assert all("KAFKA_TOPIC = 'fx-desk.bar_1m'" in one.text for one in (stream, table))


@pytest.mark.parametrize("key_format", ["string", "avro"])
def test_every_field_of_a_bar_is_a_column_once(key_format: str) -> None:
    """Names that are in the key are left out of the value, where ksqlDB allows them once."""
    fields = {field["name"] for field in bar_schema(9)["fields"]}
    for statement in made_of(KEY_FORMAT=key_format):
        assert columns(statement).keys() - {"bar_key"} == fields
        assert len(re.findall(r"^  bucket_start ", statement.text, re.MULTILINE)) == 1


def test_text_keys_are_kafka_s_and_avro_keys_avro_s() -> None:
    """KEY_FORMAT says how ksqlDB reads what the engine writes."""
    stream, table = made_of()
    assert "KEY_FORMAT = 'KAFKA'" in stream.text
    assert columns(stream)["bar_key"] == "VARCHAR KEY"
    assert columns(table)["bar_key"] == "VARCHAR PRIMARY KEY"
    stream, table = made_of(KEY_FORMAT="avro")
    assert "KEY_FORMAT = 'AVRO'" in stream.text
    assert columns(stream)["bucket_start"] == "TIMESTAMP KEY"
    assert columns(table)["broker"] == "VARCHAR PRIMARY KEY"


def test_types_are_those_of_the_bar_schema() -> None:
    """Prices have the scale of PRICE_SCALE; times and dates are times and dates."""
    found = columns(made_of(PRICE_SCALE="5")[0])
    assert found["open"] == "DECIMAL(18, 5)"
    assert found["volume"] == "DECIMAL(38, 9)"
    assert found["bucket_end"] == "TIMESTAMP"
    assert found["trading_date"] == "DATE"
    assert found["tick_count"] == "BIGINT"
    assert found["revision"] == "INTEGER"
    assert found["final"] == "BOOLEAN"
    assert found["origin"] == "VARCHAR"


def test_without_a_registry_there_is_no_avro_in_ksqldb() -> None:
    """The way out names the key."""
    given = settings()
    with pytest.raises(ConfigurationError, match="BARENGINE_SCHEMA_REGISTRY_URL"):
        statements(given, desired(given, Sizes()))


# -- a server --------------------------------------------------------------------------------


async def test_missing_sources_are_made_once(stub: KsqlDbStub) -> None:
    """Steps make a stream and a table; after that there is nothing to do."""
    findings = await look(stub)
    assert [step.resource.id for step in findings.steps] == ["ksqldb BAR_1M", "ksqldb BAR_1M_TABLE"]
    for step in findings.steps:
        await step.do()
    assert stub.statements == [statement.text for statement in made_of()]
    again = await look(stub)
    assert not again.steps
    assert len(again.right) == 2


async def test_a_source_over_another_topic_is_left_alone(stub: KsqlDbStub) -> None:
    """Its name is taken: only its owner may drop it."""
    stub.answer("/ksql", {"ksql": made_of(OUTPUT_TOPIC="other")[0].text}, None)
    taken = stub.sources.pop("OTHER")
    stub.sources["BAR_1M"] = taken | {"name": "BAR_1M"}
    findings = await look(stub)
    assert [step.resource.name for step in findings.steps] == ["BAR_1M_TABLE"]
    [left] = findings.left_alone
    assert "STREAM over other" in left.what
    assert "DROP STREAM `BAR_1M`" in left.way_out


async def test_a_statement_that_has_changed_is_left_alone(stub: KsqlDbStub) -> None:
    """ksqlDB does not tell columns so that they could be compared: the history does."""
    for statement in made_of():
        stub.answer("/ksql", {"ksql": statement.text}, None)
    changed = Resource(made_of()[0].resource.kind, "BAR_1M", {"statement": "an older one"})
    findings = await look(stub, {changed.id: Entry.of(changed, found=False)})
    assert len(findings.right) == 1
    [left] = findings.left_alone
    assert "another statement" in left.what


REFUSALS = {
    "a bad statement": (400, {"@type": "statement_error", "message": "line 1:1: no"}),
    "a failed command": (200, [{"commandStatus": {"status": "ERROR", "message": "line 1:1: no"}}]),
}


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_refused_statement_says_why(stub: KsqlDbStub, refusal: str) -> None:
    """ksqlDB's own words say what is wrong."""
    stub.refusal = REFUSALS[refusal]
    with pytest.raises(BarengineError, match="line 1:1: no"):
        await KsqlDb(stub.url).execute("CREATE")


async def test_a_login_is_sent_and_never_shown(stub: KsqlDbStub) -> None:
    """User and password in the URL go into a header; a wrong one is a matter of configuration."""
    stub.login = "me:pass word"
    right = KsqlDb(stub.url.replace("//", "//me:pass%20word@"))
    await right.alive()
    wrong = KsqlDb(stub.url.replace("//", "//me:hunter2@"))
    with pytest.raises(ConfigurationError, match="check user and password") as caught:
        await wrong.alive()
    assert "hunter2" not in str(caught.value)


async def test_no_server_is_an_error_that_names_it() -> None:
    """Nobody listens there, or somebody else does."""
    with pytest.raises(BarengineError, match=r"http://127\.0\.0\.1:1"):
        await KsqlDb("http://127.0.0.1:1").alive()


@pytest.mark.parametrize("url", ["ksqldb:8088", "ftp://ksqldb", "http://"])
def test_a_url_that_is_none(url: str) -> None:
    """The error says what to write."""
    with pytest.raises(ConfigurationError, match="write http://host:port"):
        KsqlDb(url)
