"""What a topic is, and what it shall be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

BROKER_DEFAULT: Final = -1

_UNLIMITED: Final = -1
"""In limits of time and size, where the smallest number means the most."""


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic as it is."""

    name: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str]
    """Every setting that the broker knows, in its words; sensitive ones are left out."""
    own: frozenset[str] = frozenset()
    """Keys that somebody has set on this topic; the others are defaults of the cluster."""

    @property
    def max_message_bytes(self) -> int:
        return int(self.config.get("max.message.bytes") or 0)

    @property
    def retention_ms(self) -> int:
        """-1: unlimited."""
        return int(self.config.get("retention.ms") or _UNLIMITED)

    @property
    def cleanup_policy(self) -> str:
        """In Kafka's words, such as ``compact,delete``."""
        return self.config.get("cleanup.policy") or ""

    @property
    def timestamp_after_max_ms(self) -> int | None:
        """How far ahead of its clock the broker takes a record's timestamp; None before 3.6."""
        found = self.config.get("message.timestamp.after.max.ms")
        return int(found) if found else None


class Role(StrEnum):
    """What a topic is to the engine."""

    INPUT = "input"
    BARS = "bars"
    LIVE = "live"
    LETTERS = "letters"
    STATE = "state"
    SCHEDULE = "schedule"
    HEARTBEATS = "heartbeats"
    HISTORY = "history"


class Lack(StrEnum):
    """What follows where a need is not met."""

    REFUSED = "refused"
    """The engine does not start."""
    WARNED = "warned"
    """The engine starts and warns; something may be lost."""
    TOLD = "told"
    """Somebody's choice, and not ours to change: who looks at the topics is told."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one setting of a topic must be."""

    key: str
    value: str
    """What mends it."""
    complaint: str
    """What is wrong with a topic that has not: goes on after its name; ``{have}`` is what it has
    and ``{least}`` the number below."""
    least: int | None = None
    """The smallest number that will do; None: the value and nothing else."""
    lack: Lack = Lack.REFUSED
    event: str = "topic_setting"
    """Name of the warning."""

    def met_by(self, topic: TopicInfo) -> bool:
        """Whether the topic is as needed; a setting that this broker does not know is."""
        have = topic.config.get(self.key)
        if have is None:
            return True
        if self.least is None:
            return have == self.value
        return int(have) == _UNLIMITED or int(have) >= self.least

    def said_of(self, topic: TopicInfo) -> str:
        """The complaint about this topic."""
        have = topic.config.get(self.key)
        return f"topic {topic.name} {self.complaint.format(have=have, least=self.least)}"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it shall be; BROKER_DEFAULT leaves a number to the broker."""

    name: str
    partitions: int
    replication_factor: int = BROKER_DEFAULT
    config: Mapping[str, str] = field(default_factory=dict)
    """What a new one is made with. On one that is there, somebody's own values stay as they are,
    as long as they meet the needs."""
    role: Role = Role.BARS
    why: str = ""
    """What it holds."""
    needs: tuple[Need, ...] = ()
