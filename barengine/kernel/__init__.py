"""The open-window table: compiled for speed, pure Python to be read. One switch chooses.

``BARENGINE_KERNEL`` is read by the command line alone and handed to :func:`kernel_class`.
"""

from __future__ import annotations

from barengine.kernel._protocol import (
    BadTick,
    BarBlock,
    BrokerState,
    DecodedTick,
    EncodedRecords,
    Kernel,
    KernelConfig,
    Outcome,
    RecordBatch,
    Reject,
    SeriesBlock,
    SeriesState,
    SlowDecoder,
    WindowBlock,
)
from barengine.kernel._pure import PureKernel

__all__ = [
    "BadTick",
    "BarBlock",
    "BrokerState",
    "DecodedTick",
    "EncodedRecords",
    "Kernel",
    "KernelConfig",
    "Outcome",
    "PureKernel",
    "RecordBatch",
    "Reject",
    "SeriesBlock",
    "SeriesState",
    "SlowDecoder",
    "WindowBlock",
    "kernel_class",
]


def kernel_class(name: str = "compiled") -> type[Kernel]:
    """The kernel called ``compiled`` or ``pure``.

    Raises:
        ImportError: the extension was not built. There is no silent fall-back: the pure kernel
            is hundreds of times slower, and nobody would notice until the market opens.
    """
    if name == "pure":
        return PureKernel
    from barengine.kernel._kernel import CompiledKernel  # noqa: PLC0415 - may not be built

    return CompiledKernel
