"""``barengine run``: the engine, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from barengine.cli.loop import run_async
from barengine.errors import BarengineError, ConfigurationError
from barengine.kernel import book_class, kernel_class
from barengine.service.app import serve
from barengine.service.logs import configure
from barengine.settings import KERNEL_VARIABLE, load_settings

_KERNELS = ("compiled", "pure")


def run(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="YAML file of settings; the environment beats it."),
    ] = None,
) -> None:
    """Turn ticks into bars until told to stop."""
    settings = load_settings(config, os.environ)
    kernel = chosen_kernel(os.environ)
    configure(settings.log_level, settings.log_format)
    run_async(serve(settings, kernel))


def chosen_kernel(environ: Mapping[str, str]) -> str:
    """The kernel that ``BARENGINE_KERNEL`` names: compiled, or pure to compare with.

    Raises:
        ConfigurationError: there is no kernel of that name.
        BarengineError: it is not in this installation.
    """
    name = environ.get(KERNEL_VARIABLE) or _KERNELS[0]
    if name not in _KERNELS:
        raise ConfigurationError(f"{KERNEL_VARIABLE} is {name!r}: write {' or '.join(_KERNELS)}")
    try:
        book_class(kernel_class(name))  # both: the book is an extension of its own
    except ImportError as error:
        raise BarengineError(
            f"the compiled kernel cannot be loaded ({error}): install barengine again, or set "
            f"{KERNEL_VARIABLE}=pure, hundreds of times slower"
        ) from error
    return name
