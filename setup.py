"""Compiles the kernel; everything else about the project stands in ``pyproject.toml``."""

from __future__ import annotations

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

KERNEL = Path("barengine", "kernel")


def extensions() -> list[Extension]:
    """One extension per ``.pyx`` file of the kernel, whichever there are."""
    return [
        Extension(
            ".".join(source.with_suffix("").parts),
            [str(source)],
            extra_compile_args=["-O3"],  # -O2 of most Pythons leaves the byte loops unrolled
        )
        for source in sorted(KERNEL.glob("*.pyx"))
    ]


setup(
    ext_modules=cythonize(extensions(), language_level=3)  # type: ignore[no-untyped-call]
)
