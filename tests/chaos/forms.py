"""The short form and the full one: which cases belong to the full one alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def cases(names: Iterable[str], *, short: str) -> list[Any]:
    """Parameters of a test: one for both forms, the others for the full form."""
    found = [
        name if name == short else pytest.param(name, marks=pytest.mark.full) for name in names
    ]
    assert short in found, f"there is no case {short}"
    return found
