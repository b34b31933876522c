"""Settings as the program reads them: names in their context, nothing to compute again."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from pydantic import SecretStr

from barengine.model import Framing, LatePolicy, Period
from barengine.naming import in_context, state_topic
from barengine.settings.choices import InputFormat
from barengine.settings.keys import Keys
from barengine.settings.schedule import ScheduleKind
from barengine.settings.values import MASK, RECORD_TIMESTAMP, format_duration, mask_value

LATE_TOPIC: Final = "tick_late"
DEAD_TOPIC: Final = "tick_dead"
CORRECTIONS_SUFFIX: Final = "_corrections"
LIVE_SUFFIX: Final = "_live"


class Settings(Keys):
    """Checked settings. Built by :func:`barengine.settings.load_settings`, which checks them
    against each other too; built by hand, each value is checked by itself only."""

    @property
    def input_topic(self) -> str:
        """Topic of the ticks, in its context; ``input_topic_bare`` is its name without."""
        return in_context(self.context, self.input_topic_bare)

    @property
    def periods(self) -> tuple[Period, ...]:
        """Every period that bars are made of: WINDOW, then ROLLUPS in ascending order."""
        return (self.period, *self.rollups)

    @property
    def bar_topic(self) -> str:
        """Topic of the final bars of WINDOW, in its context."""
        return self.topic_of(self.period)

    def topic_of(self, period: Period) -> str:
        """Topic of the final bars of a period, in its context."""
        return in_context(self.context, self.output_topic.replace("{period}", period.name))

    def corrections_topic(self, period: Period) -> str:
        """Topic of their corrections."""
        return self.topic_of(period) + CORRECTIONS_SUFFIX

    @property
    def live_topic(self) -> str:
        """Topic of live bars, those of WINDOW."""
        return self.bar_topic + LIVE_SUFFIX

    @property
    def bar_topics(self) -> list[str]:
        """Every topic that takes bars with these settings: finals, corrections, live bars."""
        finals = [self.topic_of(period) for period in self.periods]
        corrections = [self.corrections_topic(period) for period in self.periods]
        live = [self.live_topic] if self.live_ns is not None else []
        return [*finals, *(corrections if self.corrects else []), *live]

    @property
    def corrects(self) -> bool:
        """Whether late ticks correct bars."""
        return self.late_policy is LatePolicy.CORRECT

    @property
    def late_topic(self) -> str:
        """Topic of the late ticks, in its context."""
        return in_context(self.context, LATE_TOPIC)

    @property
    def dead_topic(self) -> str:
        """Topic of the dead letters, in its context."""
        return in_context(self.context, DEAD_TOPIC)

    @property
    def schedule_topic(self) -> str | None:
        """Topic of the market schedule, in its context; None where it comes from elsewhere."""
        source = self.schedule
        if source is None or source.kind is not ScheduleKind.TOPIC:
            return None
        return in_context(self.context, source.name)

    @property
    def heartbeat_topic(self) -> str | None:
        """Topic of the heartbeats of feeds, in its context; None: there is none."""
        bare = self.feed_heartbeats_bare
        return None if bare is None else in_context(self.context, bare)

    @property
    def group(self) -> str:
        """Consumer group, in its context; ``group_id`` is its name without."""
        return in_context(self.context, self.group_id)

    @property
    def state_topic(self) -> str:
        """Topic of the state, in its context."""
        return state_topic(self.group, self.input_topic)

    @property
    def framing(self) -> Framing:
        """What stands before a value: JSON has no frame, whatever the default for Avro is."""
        return Framing.NONE if self.input_format is InputFormat.JSON else self.input_framing

    @property
    def record_time(self) -> bool:
        """Whether event time is the timestamp of the Kafka record."""
        return self.field_timestamp == RECORD_TIMESTAMP

    def public(self) -> dict[str, str | int | None]:
        """Every key with its value as a user would write it, secrets masked."""
        return {key: _shown(name, getattr(self, name)) for key, name in KEYS.items()}


KEYS: Final = MappingProxyType(
    {field.alias or name: name for name, field in Settings.model_fields.items()}
)
"""Key in lower case -> name of the attribute that holds it."""


def _shown(name: str, value: object) -> str | int | None:
    match value:
        case None:
            return "off" if name in ("idle_timeout_ns", "live_ns") else None
        case SecretStr():
            return MASK
        case bool():
            return "on" if value else "off"
        case tuple():
            return ",".join(map(str, value))
        case int():
            return format_duration(value) if name.endswith("_ns") else value
        case _:
            return mask_value(str(value))
