"""What went wrong at the schema registry, in our words and without what the client quotes.

The client's own texts may hold the URL as it was given, or a whole page of HTML.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from typing import Any, Final

from barengine.errors import (
    BarengineError,
    RegistryRefusedError,
    RegistryUnavailableError,
    SchemaError,
)
from barengine.kafka.registry_access import KEYS

_REDIRECTS: Final = range(300, 400)
_REFUSES_US: Final = (401, 403)
_NOT_FOUND: Final = 404
_REFUSES_SCHEMA: Final = (409, 422)
"""HTTP status codes."""


def refused(error: Any, where: str) -> BarengineError:
    """An answer that is an error, as Confluent's ``SchemaRegistryError`` holds it."""
    status, said = error.http_status_code, str(error)
    if error.error_code in (None, error.UNKNOWN):
        said = f"HTTP status code {status}, not in the words of a schema registry"
    if status in _REFUSES_SCHEMA:
        return SchemaError(f"{where}: the registry refuses the schema: {said}")
    if status in _REFUSES_US:
        return RegistryRefusedError(
            f"{where}: {said}: {KEYS}_USERNAME and {KEYS}_PASSWORD must name a user who may do that"
        )
    if status in _REDIRECTS:
        said += f"; it points elsewhere: {KEYS}_URL must be the address itself"
    elif status == _NOT_FOUND:
        said += f"; does {KEYS}_URL lack a path, such as /apis/ccompat/v7?"
    return RegistryUnavailableError(f"{where}: {said}")


def no_answer(error: Exception, where: str) -> RegistryUnavailableError:
    """No answer at all, or one that cannot be read."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return RegistryRefusedError(
                    f"{where}: its certificate is not accepted ({cause.verify_message}): "
                    f"{KEYS}_CAFILE must name the authority that issued it"
                )
            case TimeoutError():
                return RegistryUnavailableError(f"{where}: no answer in time")
            case json.JSONDecodeError():
                return RegistryUnavailableError(f"{where}: an answer that is no JSON")
            case OSError() if cause.strerror:
                return RegistryUnavailableError(f"{where}: {cause.strerror}")
    return RegistryUnavailableError(f"{where}: {type(error).__name__}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it, the first one last."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
