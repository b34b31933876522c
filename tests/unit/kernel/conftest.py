"""Every rule is proven on both kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from barengine.kernel import Kernel, KernelConfig, kernel_class
from barengine.model import Period
from tests.unit.kernel.build import TICK_PLAN

Make = Callable[..., Kernel]


@pytest.fixture(params=["pure", "compiled"])
def kernel(request: pytest.FixtureRequest) -> type[Kernel]:
    """The class of both kernels."""
    return kernel_class(request.param)


@pytest.fixture(params=["pure", "compiled"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes a kernel that reads the built-in schema: 1m bars, no grace, unless said otherwise."""

    def build(**settings: Any) -> Kernel:
        config = KernelConfig(
            **{"period": Period.parse("1m"), "grace_ns": 0, "began_whole": True, **settings}
        )
        kernel = kernel_class(request.param)(config)
        kernel.add_schema(0, TICK_PLAN)
        return kernel

    return build
