"""Errors of the library become ours."""

from __future__ import annotations

import pytest
from aiokafka import errors as kafka

from barengine.errors import (
    BarengineError,
    ConfigurationError,
    KafkaUnavailableError,
    StateError,
    TaskMovedError,
)
from barengine.kafka.translate import summary, translate


def wrapped(cause: Exception) -> Exception:
    """As aiokafka wraps what ends one of its background tasks."""
    error: Exception = kafka.KafkaError("Unexpected error during batch delivery")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (kafka.ProducerFenced(), TaskMovedError),
        (kafka.InvalidProducerEpoch(), TaskMovedError),
        (kafka.InvalidProducerIdMapping(), TaskMovedError),
        (wrapped(kafka.InvalidTxnState()), TaskMovedError),
        (kafka.OutOfOrderSequenceNumber(), KafkaUnavailableError),
        (kafka.UnknownProducerId(), KafkaUnavailableError),
        (kafka.TopicAuthorizationFailedError("ticks"), ConfigurationError),
        (kafka.GroupAuthorizationFailedError("group"), ConfigurationError),
        (kafka.TransactionalIdAuthorizationFailed("id"), ConfigurationError),
        (wrapped(kafka.TopicAuthorizationFailedError("ticks")), ConfigurationError),
        (kafka.SaslAuthenticationFailed(), ConfigurationError),
        (kafka.KafkaConnectionError("gone"), KafkaUnavailableError),
        (TimeoutError(), KafkaUnavailableError),
        (AssertionError("Invalid state transition"), KafkaUnavailableError),
    ],
)
def test_families(error: Exception, kind: type[BarengineError]) -> None:
    """Fencing, refused rights and everything else are told apart, also behind a wrapper."""
    found = translate(error, "committing to bar_1m")
    assert type(found) is kind
    assert "committing to bar_1m" in str(found)


def test_ours_stay_ours() -> None:
    """An error that is translated already is not wrapped again."""
    ours = StateError("no")
    assert translate(ours, "reading") is ours


def test_a_refused_right_names_what_to_look_at() -> None:
    """The message says what was denied and which settings to check."""
    message = str(translate(kafka.TopicAuthorizationFailedError("ticks"), "reading ticks"))
    assert "ticks" in message
    assert "BARENGINE_SASL_" in message


def test_summary_tells_the_causes() -> None:
    """One line names the error and what led to it."""
    text = summary(wrapped(kafka.InvalidTxnState()))
    assert "Unexpected error during batch delivery" in text
    assert "InvalidTxnState" in text
    assert "\n" not in text


def test_summary_of_an_error_without_text() -> None:
    """Its name is all there is."""
    assert summary(TimeoutError()) == "TimeoutError"
