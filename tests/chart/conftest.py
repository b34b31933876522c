"""Both generations of Helm, fetched before the first test."""

from __future__ import annotations

import pytest

from tests.chart.tools import HELM, helms


@pytest.fixture(params=HELM)
def helm(request: pytest.FixtureRequest) -> str:
    """The name of one Helm."""
    helms()
    return str(request.param)
