"""The compiled kernel is there, and is what one gets."""

from __future__ import annotations

from importlib.machinery import ExtensionFileLoader
from importlib.util import find_spec

import pytest

from barengine.kernel import PureKernel, kernel_class


@pytest.mark.parametrize("name", ["_kernel", "_block"])
def test_the_extension_is_built(name: str) -> None:
    """Without the compiled modules the tests fail; they never fall back to the twin unseen."""
    spec = find_spec(f"barengine.kernel.{name}")
    assert spec is not None, "build it: python setup.py build_ext --inplace"
    assert isinstance(spec.loader, ExtensionFileLoader)


def test_the_compiled_kernel_is_the_default() -> None:
    """Who asks for no kernel by name gets the compiled one."""
    assert kernel_class().__name__ == "CompiledKernel"
    assert kernel_class("pure") is PureKernel
