"""Settings as the program reads them: names in their context, nothing to compute again."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from pydantic import SecretStr

from barengine.model import Framing
from barengine.naming import in_context, state_topic
from barengine.settings.choices import InputFormat
from barengine.settings.keys import Keys
from barengine.settings.values import MASK, RECORD_TIMESTAMP, format_duration, mask_url

LATE_TOPIC: Final = "tick_late"
DEAD_TOPIC: Final = "tick_dead"


class Settings(Keys):
    """Checked settings. Built by :func:`barengine.settings.load_settings`, which checks them
    against each other too; built by hand, each value is checked by itself only."""

    @property
    def input_topic(self) -> str:
        """Topic of the ticks, in its context; ``input_topic_bare`` is its name without."""
        return in_context(self.context, self.input_topic_bare)

    @property
    def bar_topic(self) -> str:
        """Topic of the bars, in its context."""
        return in_context(self.context, self.output_topic.replace("{period}", self.period.name))

    @property
    def late_topic(self) -> str:
        """Topic of the late ticks, in its context."""
        return in_context(self.context, LATE_TOPIC)

    @property
    def dead_topic(self) -> str:
        """Topic of the dead letters, in its context."""
        return in_context(self.context, DEAD_TOPIC)

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
            return "off" if name == "idle_timeout_ns" else None
        case SecretStr():
            return MASK
        case bool():
            return "on" if value else "off"
        case int():
            return format_duration(value) if name.endswith("_ns") else value
        case _:
            return mask_url(str(value))
