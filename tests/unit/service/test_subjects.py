"""Where the schemas of bars are, by SUBJECT_STRATEGY."""

from __future__ import annotations

import pytest

from barengine.service.subjects import key_subject, value_subject
from barengine.settings import Settings

SUBJECTS = {
    "topic": ("eu.bar_5m-value", "eu.bar_5m-key"),
    "record": ("barengine.Bar", "barengine.BarKey"),
    "topic_record": ("eu.bar_5m-barengine.Bar", "eu.bar_5m-barengine.BarKey"),
}


@pytest.mark.parametrize("strategy", SUBJECTS)
def test_the_strategy_names_both(strategy: str) -> None:
    """Topic and part, full name of the record, or topic and full name."""
    settings = Settings.model_validate({"subject_strategy": strategy, "key_format": "avro"})
    key = key_subject(settings, "eu.bar_5m")
    assert key is not None
    assert (value_subject(settings, "eu.bar_5m").name, key.name) == SUBJECTS[strategy]


def test_text_needs_no_subject() -> None:
    """Keys without a schema are registered nowhere."""
    assert key_subject(Settings(), "bar_1m") is None


def test_the_schema_has_the_scale_of_prices() -> None:
    """What is registered is what is written."""
    schema = value_subject(Settings(price_scale=4), "bar_1m").schema
    [price] = [field["type"] for field in schema["fields"] if field["name"] == "open"]
    assert price["scale"] == 4
