"""The words that a setting can be one of, where the engine itself does not define them."""

from __future__ import annotations

from enum import StrEnum


class SecurityProtocol(StrEnum):
    """How the brokers are spoken to."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def sasl(self) -> bool:
        """Whether the brokers ask for a user and a password."""
        return self.value.startswith("SASL")

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.value.endswith("SSL")


class SaslMechanism(StrEnum):
    """The mechanisms that need a user and a password and nothing else."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


class SubjectStrategy(StrEnum):
    """What names the subject of a schema, as Confluent's serializers call it:
    TopicNameStrategy, RecordNameStrategy, TopicRecordNameStrategy."""

    TOPIC = "topic"
    RECORD = "record"
    TOPIC_RECORD = "topic_record"


class InputFormat(StrEnum):
    """How the values of the input topic are written."""

    AVRO = "avro"
    JSON = "json"


class Start(StrEnum):
    """Where a partition without stored state begins."""

    EARLIEST = "earliest"
    LATEST = "latest"


class Compression(StrEnum):
    """Codec of the batches that barengine writes."""

    NONE = "none"
    GZIP = "gzip"
    SNAPPY = "snappy"
    LZ4 = "lz4"
    ZSTD = "zstd"


class LogLevel(StrEnum):
    """The least important line that is still written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """``AUTO`` is console on a terminal, else JSON."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"
