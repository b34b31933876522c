"""Every test of the engine runs on both kernels: the readable one and the fast one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from barengine.engine import stored, turns
from barengine.kernel import Kernel, kernel_class

_SMALL_BLOCK = 200
"""Bytes: some three windows, so that several blocks of them are part of every run."""

_FEW_FILLS = 5
"""So that a gap takes several transactions."""


@pytest.fixture(autouse=True, scope="package")
def _small_limits() -> Iterator[None]:
    """Limits are met, though a history has but a few windows and bars."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored, "BLOCK_BYTES", _SMALL_BLOCK)
        patch.setattr(turns, "MOST_FILLS", _FEW_FILLS)
        yield


@pytest.fixture(params=["pure", "compiled"])
def kernel(request: pytest.FixtureRequest) -> type[Kernel]:
    """The class under test; an extension that was not built is an error, never a skip."""
    return kernel_class(request.param)
