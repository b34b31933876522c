"""The schema registry: schemas by id, ids by schema. Confluent's client, bounded and translated."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from typing import Any, Final, Self

from barengine.errors import (
    BarengineError,
    ConfigurationError,
    RegistryUnavailableError,
    SchemaError,
)
from barengine.kafka.avro_references import Named, inline
from barengine.kafka.registry_access import KEYS, Access, client_options
from barengine.kafka.registry_errors import no_answer, refused
from barengine.settings import Settings, mask_url

_ANSWER_S: Final = 5.0
"""Bounds a question together with its retry, also where an answer comes drop by drop."""

_OPTIONS: Final = {
    "timeout": _ANSWER_S,
    # The caller waits and asks again; here a retry only bridges a dropped connection.
    "max.retries": 1,
    "retries.wait.ms": 100,
    "retries.max.wait.ms": 200,
}

_HTTP_NOT_FOUND: Final = 404
_NOT_FOUND_CODES: Final = range(40400, 40500)
"""The registry's own "not found". A bare 404 comes from whatever else stands at that URL."""

_AVRO: Final = "AVRO"


class SchemaRegistry:
    """One registry at ``url``, which may hold user and password in place of ``access``.

    Raises:
        ConfigurationError: the extra is not installed, the URL is none, or a file cannot be used.
    """

    def __init__(self, url: str, access: Access = Access()) -> None:  # noqa: B008 - immutable
        self.url = mask_url(url)
        try:
            from confluent_kafka import schema_registry  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            raise ConfigurationError(
                f"{KEYS}_URL needs the schema registry's client: pip install 'barengine[registry]'"
            ) from error
        self._library: Any = schema_registry
        try:
            options = client_options(url, access) | _OPTIONS
            self._client: Any = schema_registry.AsyncSchemaRegistryClient(options)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"{KEYS}_URL={self.url} cannot be used") from error

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The registry of the settings, if they name one.

        Raises:
            ConfigurationError: as the class does.
        """
        url = settings.schema_registry_url
        return None if url is None else cls(url, Access.of(settings))

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
            stored = await _in_time(self._client.get_schema(schema_id))
        except Exception as error:
            if self._not_found(error):
                return None
            raise self._problem(error, what) from error
        if not isinstance(stored.schema_str, str):
            await self._client.clear_caches()  # it would be the answer from now on
            raise RegistryUnavailableError(f"{self.url}, {what}: an answer without a schema")
        return await self._resolved(stored, what)

    async def register(self, subject: str, schema: Any) -> int:
        """The id of the schema under the subject, which it gets now if it had none.

        Raises:
            RegistryUnavailableError: no answer.
            SchemaError: not compatible with what the subject has.
        """
        what = f"subject {subject}"
        try:
            found = await _in_time(self._client.register_schema(subject, self._schema(schema)))
        except Exception as error:
            raise self._problem(error, what) from error
        return await self._id(found, what)

    async def lookup(self, subject: str, schema: Any) -> int | None:
        """The id of the schema under the subject; None where the subject does not have it.

        Raises:
            RegistryUnavailableError: no answer.
        """
        what = f"subject {subject}"
        try:
            found = await _in_time(self._client.lookup_schema(subject, self._schema(schema)))
        except Exception as error:
            if self._not_found(error):
                return None
            raise self._problem(error, what) from error
        return await self._id(found.schema_id, what)

    async def accepts(self, subject: str, schema: Any) -> bool:
        """Whether the subject could take the schema as its next version, by its own rules.

        Raises:
            RegistryUnavailableError: no answer.
        """
        what = f"subject {subject}"
        question = self._client.test_compatibility(subject, self._schema(schema))
        return bool(await self._asked(question, what, otherwise=True))

    async def compatibility(self, subject: str) -> str | None:
        """The subject's own level, such as ``BACKWARD``; None: the registry's general one counts.

        Raises:
            RegistryUnavailableError: no answer.
        """
        what = f"compatibility of subject {subject}"
        level = await self._asked(self._client.get_compatibility(subject), what, otherwise=None)
        return None if level is None else str(level)

    async def set_compatibility(self, subject: str, level: str) -> None:
        """Give the subject a level of its own.

        Raises:
            RegistryUnavailableError: not done.
        """
        what = f"compatibility of subject {subject}"
        await self._asked(self._client.set_compatibility(subject, level), what, otherwise=None)

    # -- inside ----------------------------------------------------------------------------

    async def _asked(self, question: Awaitable[Any], what: str, otherwise: Any) -> Any:
        """The answer, or ``otherwise`` where the registry has no such thing."""
        try:
            return await _in_time(question)
        except Exception as error:
            if self._not_found(error):
                return otherwise
            raise self._problem(error, what) from error

    async def _id(self, found: Any, what: str) -> int:
        if not isinstance(found, int):
            await self._client.clear_caches()
            raise RegistryUnavailableError(f"{self.url}, {what}: an answer without a schema id")
        return found

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
                found = await _in_time(
                    self._client.get_version(reference.subject, reference.version)
                )
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
        if isinstance(error, BarengineError):
            return error
        where = f"{self.url}, {what}"
        if isinstance(error, self._library.SchemaRegistryError):
            return refused(error, where)
        return no_answer(error, where)


async def _in_time(question: Awaitable[Any]) -> Any:
    async with asyncio.timeout(_ANSWER_S):
        return await question


def _parsed(stored: Any, what: str) -> Any:
    if (stored.schema_type or _AVRO) != _AVRO:
        raise SchemaError(f"{what} is {stored.schema_type}, not Avro")
    try:
        return json.loads(stored.schema_str or "")
    except ValueError as error:
        raise SchemaError(f"{what} is no JSON: {error}") from error
