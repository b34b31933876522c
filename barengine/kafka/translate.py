"""Errors of aiokafka become ours here, in one place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aiokafka import errors as kafka

from barengine.errors import (
    BarengineError,
    ConfigurationError,
    KafkaUnavailableError,
    TaskMovedError,
)

_MOVED: Final = (
    kafka.ProducerFenced,
    kafka.InvalidProducerEpoch,
    kafka.InvalidProducerIdMapping,
    # The broker answers so, too, when a newer owner has aborted our transaction.
    kafka.InvalidTxnState,
    kafka.TransactionCoordinatorFenced,
)

_DENIED: Final = (
    kafka.TopicAuthorizationFailedError,
    kafka.GroupAuthorizationFailedError,
    kafka.ClusterAuthorizationFailedError,
    kafka.TransactionalIdAuthorizationFailed,
    kafka.SaslAuthenticationFailed,
    kafka.AuthenticationFailedError,
    kafka.AuthenticationMethodNotSupported,
    kafka.UnsupportedSaslMechanismError,
)


def translate(error: BaseException, doing: str) -> BarengineError:
    """The error of ours that says what went wrong while ``doing`` ("committing to bar_1m").

    Fencing becomes TaskMovedError, a refused login or missing right ConfigurationError, all else
    KafkaUnavailableError. The causes of the error are looked at as well, because aiokafka wraps
    what ends its background tasks.
    """
    for cause in _causes(error):
        if isinstance(cause, BarengineError):
            return cause
        if isinstance(cause, _MOVED):
            return TaskMovedError(f"{doing}: {summary(cause)}")
        if isinstance(cause, _DENIED):
            return ConfigurationError(
                f"{doing}: the broker denies it ({summary(cause)}); check the BARENGINE_SASL_* and "
                "BARENGINE_SSL_* settings and what this user may do"
            )
    return KafkaUnavailableError(f"{doing}: {summary(error)}")


def summary(error: BaseException) -> str:
    """Name, text and causes of an error on one line."""
    parts = []
    for cause in _causes(error):
        name, text = type(cause).__name__, str(cause)
        parts.append(text if name in text else f"{name}: {text}" if text else name)
    return ", because of ".join(parts)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__
