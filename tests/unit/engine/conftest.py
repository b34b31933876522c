"""Every test of the engine runs on both kernels: the readable one and the fast one."""

from __future__ import annotations

import pytest

from barengine.kernel import Kernel, kernel_class


@pytest.fixture(params=["pure", "compiled"])
def kernel(request: pytest.FixtureRequest) -> type[Kernel]:
    """The class under test; an extension that was not built is an error, never a skip."""
    return kernel_class(request.param)
