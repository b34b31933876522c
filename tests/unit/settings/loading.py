"""Ways to load settings that the tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from barengine.errors import ConfigurationError
from barengine.settings import Settings, load_settings


def from_environ(**keys: str) -> Settings:
    """Load from an environment that has these keys, written without their prefix."""
    return load_settings(None, environ(**keys))


def environ(**keys: str) -> dict[str, str]:
    return {f"BARENGINE_{key}": text for key, text in keys.items()}


def problems(config: Path | None = None, /, **keys: str) -> list[str]:
    """Load what cannot work, and return what is said about it."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(config, environ(**keys))
    return list(caught.value.problems)


def problem(config: Path | None = None, /, **keys: str) -> str:
    """The one thing that is said."""
    found = problems(config, **keys)
    assert len(found) == 1, found
    return found[0]
