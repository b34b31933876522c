"""Which plan reads which schema id: compiled once per process, asked of the registry once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

import structlog

from barengine.codec.compile import compile_plan
from barengine.codec.fields import TICK_SCHEMA, Fields
from barengine.codec.plan import FieldPlan
from barengine.codec.slow import json_decoder, slow_decoder
from barengine.codec.tick import BadTick
from barengine.errors import ConfigurationError, SchemaError
from barengine.kafka.registry import SchemaRegistry
from barengine.kernel import SlowDecoder
from barengine.model import Reason
from barengine.settings import Settings

log = structlog.get_logger(__name__)

LOCAL_ID: Final = 0
"""The id under which a kernel without a registry reads every value."""


class Reader(NamedTuple):
    """How values of one schema are read; both None: the registry does not know the schema."""

    plan: FieldPlan | None
    slow: SlowDecoder | None

    @property
    def unknown(self) -> bool:
        return self.plan is None and self.slow is None


class SchemaBook:
    """Readers by schema id, shared by all tasks of the process."""

    def __init__(self, settings: Settings, registry: SchemaRegistry | None) -> None:
        self._fields = Fields(
            settings.field_broker,
            settings.field_symbol,
            settings.field_timestamp,
            settings.field_price,
            settings.field_size,
            settings.field_flags,
        )
        self._scale = settings.price_scale
        self._registry = registry
        self._readers: dict[int, Reader] = {}
        self.digest: str | None = None
        """Names the schema that reads every value, for the fingerprint of the state; None where a
        registry has them, or values are JSON. Of the file as it was read: it may change since."""
        if registry is None:
            self._readers[LOCAL_ID] = self._local(settings)

    def _local(self, settings: Settings) -> Reader:
        if settings.input_format == "json":
            log.info("slow_path", reason="INPUT_FORMAT=json is read record by record")
            return Reader(None, json_decoder(self._fields, self._scale))
        schema = TICK_SCHEMA
        if settings.input_schema is not None:
            schema = _load(settings.input_schema)
        try:
            reader = self._compile(LOCAL_ID, schema)
        except SchemaError as error:
            raise ConfigurationError(f"BARENGINE_INPUT_SCHEMA: {error}") from error
        self.digest = _digest(schema)
        return reader

    def _compile(self, schema_id: int, schema: Any) -> Reader:
        plan = compile_plan(schema, self._fields)
        if plan is not None:
            return Reader(plan, None)
        log.warning(
            "slow_path",
            schema_id=schema_id,
            reason="no field plan can express this schema: its records are read one by one",
        )
        return Reader(None, slow_decoder(schema, self._fields, self._scale))

    def known(self) -> dict[int, Reader]:
        """Every reader so far, for a fresh kernel."""
        return {key: reader for key, reader in self._readers.items() if not reader.unknown}

    async def resolve(self, schema_id: int) -> Reader:
        """The reader for an id, asking the registry if it is new.

        Values of a schema that can never yield a tick are read as dead letters.

        Raises:
            RegistryUnavailableError: no answer; the record must wait.
        """
        reader = self._readers.get(schema_id)
        if reader is not None and not reader.unknown:
            return reader
        if self._registry is None:
            raise RuntimeError(f"schema id {schema_id} was asked for without a registry")
        try:
            schema = await self._registry.get(schema_id)
            if schema is None:
                log.warning("unknown_schema", schema_id=schema_id)
                return Reader(None, None)
            reader = self._compile(schema_id, schema)
        except SchemaError as error:
            log.error("schema_without_ticks", schema_id=schema_id, error=str(error))
            reader = Reader(None, _no_tick)
        else:
            log.info("schema", schema_id=schema_id, plan=reader.plan is not None)
        self._readers[schema_id] = reader
        return reader


def _no_tick(_: bytes) -> NoReturn:
    raise BadTick(Reason.SCHEMA)


def _digest(schema: Any) -> str:
    """Names the content, however the file is written, and whatever it says to people.

    Avro's own canonical form will not do: it leaves logical types out, and with them the unit of a
    timestamp.
    """
    plain = json.loads(json.dumps(schema), object_hook=_without_doc)
    text = json.dumps(plain, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_doc(part: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key != "doc"}


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"BARENGINE_INPUT_SCHEMA={path}: cannot be read as an Avro schema: {error}"
        ) from error
