"""The few families of errors that leave the engine.

Library errors are translated into these at the edge (``barengine.kafka``,
``barengine.cli``), so that everything above handles five names and no more.
"""

from __future__ import annotations

from collections.abc import Sequence


class BarengineError(Exception):
    """Root of every error that barengine raises on purpose."""


class ConfigurationError(BarengineError):
    """One or more settings cannot work; the process ends with exit code 2.

    Attributes:
        problems: one sentence per problem, each naming key, value and way out.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: Sequence[str] = problems


class SchemaError(BarengineError):
    """An Avro schema cannot yield ticks (field missing, type not usable)."""


class StateError(BarengineError):
    """The stored state and the input log do not fit; going on would lose or double bars."""


class UnreadableStateError(StateError):
    """A state record is damaged, of another release, or written by two: only a reset helps."""


class TaskMovedError(BarengineError):
    """Another process owns this partition now (every fencing error of Kafka ends here)."""


class KafkaUnavailableError(BarengineError):
    """The broker could not do it now; the same may work later."""


class TransactionTimeoutError(KafkaUnavailableError):
    """A transaction was not done in its time: a smaller one may be."""


class CorruptBatchError(KafkaUnavailableError):
    """A fetched record batch fails its checks: fetch it again, never skip it."""


class OffsetOutOfRangeError(StateError):
    """The log does not hold the offset at which a partition must go on.

    Attributes:
        partition: number of the input partition.
        offset: the offset that was asked for.
    """

    def __init__(self, message: str, partition: int, offset: int) -> None:
        super().__init__(message)
        self.partition = partition
        self.offset = offset


class BrokenClientError(BarengineError):
    """A background task of the Kafka client has ended by itself: only a new process helps."""


class RefusedBatchError(BarengineError):
    """The broker will never take this batch (too large, timestamps or records it does not accept).

    Attributes:
        topic: the topic that refused it.
        size: bytes of the batch as it was sent.
    """

    def __init__(self, message: str, topic: str, size: int) -> None:
        super().__init__(message)
        self.topic = topic
        self.size = size


class RegistryUnavailableError(BarengineError):
    """The schema registry gave no answer; the record that needs it waits."""


class RegistryRefusedError(RegistryUnavailableError):
    """It does not take our login, or we do not take its certificate: a matter of settings."""


class LocalKafkaError(BarengineError):
    """The local one-node Kafka could not be fetched, started or stopped."""
