"""Every key a user can set: its type, its default and the sentence that documents it.

The key is the field's alias where it has one, else its name; the order is the order of the
documentation. What the program reads has its unit in its name (``grace_ns``) or is derived in
:class:`barengine.settings.model.Settings`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from barengine.model import (
    NS_PER_MS,
    NS_PER_S,
    Framing,
    KeyFormat,
    LatePolicy,
    Order,
    Period,
    Watermark,
)
from barengine.settings.choices import (
    Compression,
    InputFormat,
    LogFormat,
    LogLevel,
    SaslMechanism,
    SecurityProtocol,
    Start,
)
from barengine.settings.values import (
    MAX_PORT,
    RECORD_TIMESTAMP,
    Context,
    FieldPath,
    KafkaName,
    LatePolicyText,
    Lower,
    Off,
    OutputTopic,
    PeriodText,
    ReadableFile,
    Servers,
    TimePath,
    Upper,
    Url,
    duration,
)

NOT_YET: Final = {
    "field_size": "volume",
    "rollups": "roll-ups",
    "correction_horizon": "corrections",
    "continuous": "continuous bars",
    "schedule": "market schedules",
    "live": "live bars",
}
"""Keys that are promised for a later version: what this one does not have."""


class Keys(BaseModel):
    """The keys as they were set, or their defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    bootstrap_servers: Servers = Field(
        default="localhost:9092",
        description="Kafka brokers to begin with: host:port, comma-separated.",
    )
    security_protocol: Annotated[SecurityProtocol, Upper] = Field(
        default=SecurityProtocol.PLAINTEXT,
        description="How to speak to the brokers: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.",
    )
    sasl_mechanism: Annotated[SaslMechanism | None, Upper] = Field(
        default=None, description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; needed with SASL."
    )
    sasl_username: str | None = Field(default=None, description="User name; needed with SASL.")
    sasl_password: SecretStr | None = Field(
        default=None,
        description="Password; needed with SASL. Better set in the environment than in a file.",
    )
    ssl_cafile: ReadableFile | None = Field(
        default=None, description="PEM file of the CAs to trust; without it, those of the system."
    )
    ssl_certfile: ReadableFile | None = Field(
        default=None,
        description="PEM file of the client certificate, where the brokers ask for one.",
    )
    ssl_keyfile: ReadableFile | None = Field(
        default=None,
        description="PEM file of its key, where the certificate's file does not hold it.",
    )

    context: Context = Field(
        default="",
        description="Prefix of every topic and group, with a dot: several engines on one cluster"
        " that never meet. The topics of one context are its own, the input topic too.",
    )
    group_id: KafkaName = Field(default="barengine", description="Consumer group.")
    group_instance_id: str | None = Field(
        default=None,
        description="Makes this instance a static member of the group: a restart within"
        " SESSION_TIMEOUT moves no partition, but a stopped instance hands over only when that"
        " time is up. Fast hand-over and this key exclude each other.",
    )
    session_timeout_ns: Annotated[int, duration("6s", "30m")] = Field(
        default=6 * NS_PER_S,
        alias="session_timeout",
        description="An instance that is silent this long loses its partitions (6s to 30m).",
    )

    input_topic_bare: KafkaName = Field(
        default="ticks", alias="input_topic", description="Topic of the ticks."
    )
    input_format: Annotated[InputFormat, Lower] = Field(
        default=InputFormat.AVRO, description="avro, or the slower json."
    )
    input_framing: Annotated[Framing, Lower] = Field(
        default=Framing.CONFLUENT,
        description="What stands before the Avro bytes: confluent (byte 0 and a 4-byte schema id)"
        " or none. JSON has no frame.",
    )
    input_schema: ReadableFile | None = Field(
        default=None,
        description="File (.avsc) of the schema that wrote the ticks, where there is no registry;"
        " without either, the built-in Tick schema.",
    )
    schema_registry_url: Url | None = Field(
        default=None,
        repr=False,  # may carry a password
        description="Schema registry with the Confluent API: http://host:port.",
    )
    field_broker: FieldPath = Field(
        default="broker", description="Field of the broker, or path a.b to it."
    )
    field_symbol: FieldPath = Field(
        default="symbol", description="Field of the symbol, or path a.b to it."
    )
    field_timestamp: TimePath = Field(
        default="timestamp",
        description=f"Field of the event time; {RECORD_TIMESTAMP} takes the Kafka timestamp.",
    )
    field_price: FieldPath = Field(
        default="bid", description="Field of the price, or path a.b to it."
    )
    price_scale: Annotated[int, Field(ge=0, le=18)] = Field(
        default=9, description="Decimals of a price (0 to 18); more are rounded half-even."
    )

    period: Annotated[Period, PeriodText] = Field(
        default=Period("1m", 60 * NS_PER_S),
        alias="window",
        description="Length of a bar: a number and s, m or h that divides a day evenly.",
    )
    grace_ns: Annotated[int, duration("0s")] = Field(
        default=5 * NS_PER_S,
        alias="grace",
        description="How far a tick may be behind the market clock and still get into its bar.",
    )
    watermark: Annotated[Watermark, Lower] = Field(
        default=Watermark.BROKER,
        description="Whose clock closes windows: one per broker, or one per series, for input"
        " whose symbols are not in common time order.",
    )
    idle_timeout_ns: Annotated[int | None, duration("1s"), Off] = Field(
        default=5 * NS_PER_S,
        alias="idle_timeout",
        description="A market this long silent, as observed, has its clock run on, so that its"
        " last windows close (1s or more); off: they wait for the next tick.",
    )
    max_future_ns: Annotated[int, duration("1s")] = Field(
        default=300 * NS_PER_S,
        alias="max_future",
        description="Ticks stamped further ahead of the wall clock are quarantined (1s or more).",
    )
    order: Annotated[Order, Lower] = Field(
        default=Order.EVENT_TIME,
        description="What makes a tick first or last in its bar: event_time or offset.",
    )
    late_policy: Annotated[LatePolicy, LatePolicyText, Lower] = Field(
        default=LatePolicy.TOPIC, description="Late ticks go to a topic, or drop: are only counted."
    )
    start: Annotated[Start, Lower] = Field(
        default=Start.EARLIEST,
        description="Where to begin without stored state: earliest or latest.",
    )
    restore_max: Annotated[int, Field(ge=1000)] = Field(
        default=2_000_000,
        description="Records that a restart should have to read again at most (1000 or more)."
        " Where open windows reach further back, they are written to the state topic.",
    )
    series_ttl_ns: Annotated[int, duration("1h")] = Field(
        default=30 * 86_400 * NS_PER_S,
        alias="series_ttl",
        description="Series silent this long are forgotten (1h or more).",
    )

    output_topic: OutputTopic = Field(
        default="bar_{period}", description="Topic of the bars; {period} stands for the period."
    )
    key_format: Annotated[KeyFormat, Lower] = Field(
        default=KeyFormat.STRING,
        description="Keys of bars: string (broker|symbol|bucket_start) or an avro record.",
    )
    compression: Annotated[Compression, Lower] = Field(
        default=Compression.ZSTD, description="none, gzip, snappy, lz4 or zstd."
    )
    commit_interval_ns: Annotated[int, duration("0s", "5s")] = Field(
        default=100 * NS_PER_MS,
        alias="commit_interval",
        description="Gap between two transactions while bars keep coming (0s to 5s).",
    )
    auto_create_topics: bool = Field(
        default=False, description="Create the topics that do not exist, at start: on or off."
    )

    http_host: str = Field(
        default="0.0.0.0",  # noqa: S104 - probes and scrapers come from other machines
        description="Address to serve metrics and probes on.",
    )
    http_port: Annotated[int, Field(ge=0, le=MAX_PORT)] = Field(
        default=8080, description="Port to serve metrics and probes on; 0 takes any free one."
    )
    log_level: Annotated[LogLevel, Lower] = Field(
        default=LogLevel.INFO, description="debug, info, warning or error."
    )
    log_format: Annotated[LogFormat, Lower] = Field(
        default=LogFormat.AUTO,
        description="json, console, or auto: console on a terminal, else json.",
    )
    config: Path | None = Field(
        default=None, description="YAML file with these keys; in the environment only, or --config."
    )
