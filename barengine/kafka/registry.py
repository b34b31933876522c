"""The schema registry: schemas by id, ids by schema. Confluent's client, bounded and translated."""

from __future__ import annotations

import json
from typing import Any, Final

from barengine.errors import (
    BarengineError,
    ConfigurationError,
    RegistryUnavailableError,
    SchemaError,
)
from barengine.kafka.avro_references import Named, inline
from barengine.settings import mask_url

_OPTIONS: Final = {
    "timeout": 5,
    # The caller waits and asks again; here a retry only bridges a dropped connection.
    "max.retries": 1,
    "retries.wait.ms": 100,
    "retries.max.wait.ms": 200,
}

_HTTP_NOT_FOUND: Final = 404
_NOT_FOUND_CODES: Final = range(40400, 40500)
"""The registry's own "not found". A bare 404 comes from whatever else stands at that URL."""

_HTTP_REFUSES_SCHEMA: Final = (409, 422)
_AVRO: Final = "AVRO"


class SchemaRegistry:
    """One registry at ``url``, which may hold user and password.

    Raises:
        ConfigurationError: the extra is not installed, or the URL is none.
    """

    def __init__(self, url: str) -> None:
        self.url = mask_url(url)
        try:
            from confluent_kafka import schema_registry  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            raise ConfigurationError(
                "BARENGINE_SCHEMA_REGISTRY_URL needs the schema registry's client: "
                "pip install 'barengine[registry]'"
            ) from error
        self._library: Any = schema_registry
        try:
            self._client = schema_registry.AsyncSchemaRegistryClient({"url": url, **_OPTIONS})
        except (ValueError, TypeError) as error:
            raise ConfigurationError(
                f"BARENGINE_SCHEMA_REGISTRY_URL={self.url} cannot be used"
            ) from error

    def __repr__(self) -> str:
        return f"<SchemaRegistry {self.url}>"

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def get(self, schema_id: int) -> Any:
        """The Avro schema (dict, list or str) with its references put in; None: no such id.

        Raises:
            RegistryUnavailableError: no answer that says so or so.
            SchemaError: a schema that is not Avro, or whose references are not there.
        """
        what = f"schema id {schema_id}"
        try:
            stored = await self._client.get_schema(schema_id)
        except Exception as error:
            if self._not_found(error):
                return None
            raise self._problem(error, what) from error
        if stored.schema_str is None:
            raise RegistryUnavailableError(f"{self.url}, {what}: an answer without a schema")
        return await self._resolved(stored, what)

    async def register(self, subject: str, schema: Any) -> int:
        """The id of the schema under the subject, which it gets now if it had none.

        Raises:
            RegistryUnavailableError: no answer.
            SchemaError: not compatible with what the subject has.
        """
        try:
            found = await self._client.register_schema(subject, self._schema(schema))
        except Exception as error:
            raise self._problem(error, f"subject {subject}") from error
        return int(found)

    async def lookup(self, subject: str, schema: Any) -> int | None:
        """The id of the schema under the subject; None where the subject does not have it.

        Raises:
            RegistryUnavailableError: no answer.
        """
        try:
            found = await self._client.lookup_schema(subject, self._schema(schema))
        except Exception as error:
            if self._not_found(error):
                return None
            raise self._problem(error, f"subject {subject}") from error
        schema_id: int | None = found.schema_id
        return schema_id

    # -- inside ----------------------------------------------------------------------------

    def _schema(self, schema: Any) -> Any:
        return self._library.Schema(json.dumps(schema), _AVRO)

    async def _resolved(self, stored: Any, what: str) -> Any:
        schema = _parsed(stored, what)
        if not stored.references:
            return schema
        named: Named = {}
        await self._collect(stored, named, what)
        return inline(schema, named)

    async def _collect(self, stored: Any, named: Named, what: str) -> None:
        """Find every schema that this one refers to, and those that they refer to."""
        for reference in stored.references or ():
            if reference.name in named:
                continue
            what_there = f"{what}: its reference {reference.name}"
            try:
                found = await self._client.get_version(reference.subject, reference.version)
            except Exception as error:
                if self._not_found(error):
                    raise SchemaError(f"{what_there} is not in the registry") from error
                raise self._problem(error, what_there) from error
            named[reference.name] = _parsed(found.schema, what_there)
            await self._collect(found.schema, named, what_there)

    def _not_found(self, error: Exception) -> bool:
        return (
            isinstance(error, self._library.SchemaRegistryError)
            and error.http_status_code == _HTTP_NOT_FOUND
            and error.error_code in _NOT_FOUND_CODES
        )

    def _problem(self, error: Exception, what: str) -> BarengineError:
        """Never names the URL as given: httpx puts user and password in its messages."""
        if isinstance(error, BarengineError):
            return error
        if not isinstance(error, self._library.SchemaRegistryError):
            return RegistryUnavailableError(f"{self.url}, {what}: {type(error).__name__}")
        if error.http_status_code in _HTTP_REFUSES_SCHEMA:
            return SchemaError(f"{self.url} refuses the schema for {what}: {error}")
        return RegistryUnavailableError(f"{self.url}, {what}: {error}")


def _parsed(stored: Any, what: str) -> Any:
    if (stored.schema_type or _AVRO) != _AVRO:
        raise SchemaError(f"{what} is {stored.schema_type}, not Avro")
    try:
        return json.loads(stored.schema_str or "")
    except ValueError as error:
        raise SchemaError(f"{what} is no JSON: {error}") from error
