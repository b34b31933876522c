"""Every key a user can set: its type, its default and the sentence that documents it.

The key is the field's alias where it has one, else its name; the order is the order of the
documentation. What the program reads has its unit in its name (``grace_ns``) or is derived in
:class:`barengine.settings.model.Settings`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from barengine.model import (
    NS_PER_MS,
    NS_PER_S,
    Framing,
    KeyFormat,
    LatePolicy,
    Normalize,
    Order,
    OutOfSession,
    Period,
    Watermark,
)
from barengine.settings.aliases import AliasesText, SymbolAliases
from barengine.settings.choices import (
    Compression,
    InputFormat,
    LogFormat,
    LogLevel,
    SaslMechanism,
    SecurityProtocol,
    Start,
    SubjectStrategy,
)
from barengine.settings.schedule import ScheduleFrom, ScheduleText
from barengine.settings.values import (
    MAX_PORT,
    RECORD_TIMESTAMP,
    Context,
    FieldPath,
    KafkaName,
    Lower,
    Off,
    OutputTopic,
    PeriodsText,
    PeriodText,
    PricePath,
    ReadableFile,
    Servers,
    TimePath,
    Upper,
    Url,
    duration,
)


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

    schema_registry_url: Url | None = Field(
        default=None,
        repr=False,  # may carry a password
        description="Schema registry with the Confluent API: http://host:port, or with a path such"
        " as /apis/ccompat/v7. Without it, one schema reads all ticks, and bars are bare Avro.",
    )
    schema_registry_username: str | None = Field(
        default=None, description="User name, where the registry asks for one (basic)."
    )
    schema_registry_password: SecretStr | None = Field(
        default=None,
        description="Password of that user. Better set in the environment than in a file.",
    )
    schema_registry_cafile: ReadableFile | None = Field(
        default=None,
        description="PEM file of the CAs to trust with https; without it, those of the system.",
    )
    schema_registry_certfile: ReadableFile | None = Field(
        default=None,
        description="PEM file of the client certificate, where the registry asks for one.",
    )
    schema_registry_keyfile: ReadableFile | None = Field(
        default=None,
        description="PEM file of its key, where the certificate's file does not hold it.",
    )
    subject_strategy: Annotated[SubjectStrategy, Lower] = Field(
        default=SubjectStrategy.TOPIC,
        description="Subjects of the bars' schemas: topic (bar_1m-value, bar_1m-key), record"
        " (barengine.Bar, barengine.BarKey) or topic_record (bar_1m-barengine.Bar, ...).",
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
    field_price: PricePath = Field(
        default="bid",
        description="Field of the price, or path a.b to it; mid(bid,ask) takes the mean of two.",
    )
    field_size: FieldPath | None = Field(
        default=None,
        description="Field of the size, or path a.b to it; without it bars have no volume.",
    )
    field_flags: FieldPath | None = Field(
        default=None,
        description="Field that says what a tick may touch: price, volume, both or none, or bits (1"
        " the price, 2 the volume); null is both. Needs FIELD_SIZE.",
    )
    symbol_normalize: Annotated[Normalize, Lower] = Field(
        default=Normalize.NONE,
        description="upper turns a to z of every symbol into A to Z; none leaves them as they are.",
    )
    symbol_aliases: Annotated[SymbolAliases | None, AliasesText] = Field(
        default=None,
        description="YAML file with other spellings of symbols: for each broker, or * for all,"
        " ALIAS: SYMBOL. They become one series.",
    )
    price_scale: Annotated[int, Field(ge=0, le=18)] = Field(
        default=9, description="Decimals of a price (0 to 18); more are rounded half-even."
    )

    period: Annotated[Period, PeriodText] = Field(
        default=Period("1m", 60 * NS_PER_S),
        alias="window",
        description="Length of a bar: a number and s, m or h that divides a day evenly.",
    )
    rollups: Annotated[tuple[Period, ...], PeriodsText] = Field(
        default=(),
        description="Longer bars made of these in the same transaction, comma-separated: 5m,1h,1d."
        " Each is a multiple of WINDOW and has a topic of its own.",
    )
    schedule: Annotated[ScheduleFrom | None, ScheduleText] = Field(
        default=None,
        description="When markets trade: a YAML file (a path that ends in .yaml, or file:PATH; it"
        " is read again when it changes), topic:NAME, or exchange:XNYS, with"
        " exchange:XNYS,BROKER=XLON for several. Without it days are UTC days.",
    )
    out_of_session: Annotated[OutOfSession, Lower] = Field(
        default=OutOfSession.INCLUDE,
        description="Ticks outside their market's sessions: include makes bars of them as of any"
        " other, late sends them to the topic of late ticks, dead to that of dead letters.",
    )
    continuous: Annotated[tuple[Period, ...], PeriodsText] = Field(
        default=(),
        description="Periods, of WINDOW and ROLLUPS, in which a bucket without a tick gets a flat"
        " bar at the last close, inside sessions where there is a SCHEDULE.",
    )
    continuous_max_ns: Annotated[int, duration("1m")] = Field(
        default=7 * 86_400 * NS_PER_S,
        alias="continuous_max",
        description="A series without a tick for this long gets no flat bars any more (1m or"
        " more).",
    )
    feed_timeout_ns: Annotated[int, duration("1s")] = Field(
        default=30 * NS_PER_S,
        alias="feed_timeout",
        description="A flat bar says feed_down, not quiet, where its whole broker had no tick for"
        " longer than this (1s or more).",
    )
    feed_heartbeats_bare: KafkaName | None = Field(
        default=None,
        alias="feed_heartbeats",
        description="Topic of heartbeats, which say that a broker's feed lives (up) or does not"
        " (down): a broker that is heard there is not down, though a partition has no tick of it.",
    )
    live_ns: Annotated[int | None, duration("100ms", "1h"), Off] = Field(
        default=None,
        alias="live",
        description="How often the bar so far of each series that changed goes to a topic of its"
        " own (100ms to 1h); off: never.",
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
    late_policy: Annotated[LatePolicy, Lower] = Field(
        default=LatePolicy.TOPIC,
        description="Late ticks go to a topic; drop: are only counted; or correct their bars.",
    )
    correction_horizon_ns: Annotated[int, duration("1s", "7d")] = Field(
        default=600 * NS_PER_S,
        alias="correction_horizon",
        description="With LATE_POLICY=correct: how long behind its end a bar can be corrected (1s"
        " to 7d). Later ticks go to the topic of late ones.",
    )
    skip_partial: bool = Field(
        default=False,
        description="Leave out bars of buckets in which the engine began: on or off.",
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
        description="Gap between two transactions while bars keep coming (0s to 5s); several times "
        "as much far behind the end of the log.",
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
