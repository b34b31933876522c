"""The open-window table: compiled for speed, pure Python to be read. One switch chooses.

``BARENGINE_KERNEL`` is read by the command line alone and handed to :func:`kernel_class`.
"""

from __future__ import annotations

from barengine.kernel._book import (
    Book,
    BookBlock,
    BookConfig,
    BookStart,
    Calendar,
    Feed,
    Hours,
    Kind,
    Leaf,
    Rung,
    around_the_clock,
)
from barengine.kernel._protocol import (
    BadTick,
    BarBlock,
    BatchHeader,
    BlockForm,
    BrokerState,
    DecodedTick,
    EncodedRecords,
    Kernel,
    KernelConfig,
    OpenWindows,
    Outcome,
    RecordBatch,
    Reject,
    SeriesBlock,
    SeriesState,
    SlowDecoder,
    WindowBlock,
)
from barengine.kernel._pure import PureKernel
from barengine.kernel._pure_book import PureBook
from barengine.kernel._pure_fetched import ATTRIBUTES_AT, BATCH_HEADER, BATCH_PREFIX, record_batch

try:
    from barengine.kernel._fetched import end_of, header_at, lz4_frame, part_of, plain_batch
    from barengine.kernel._fresh import Fresh
    from barengine.kernel._payloads import Payloads
except ImportError:  # not built: kernel_class says so to whoever wants the compiled one
    from barengine.kernel._pure_fetched import end_of, header_at, lz4_frame, part_of, plain_batch
    from barengine.kernel._pure_fresh import Fresh
    from barengine.kernel._pure_payloads import Payloads

__all__ = [
    "ATTRIBUTES_AT",
    "BATCH_HEADER",
    "BATCH_PREFIX",
    "BadTick",
    "BarBlock",
    "BatchHeader",
    "BlockForm",
    "Book",
    "BookBlock",
    "BookConfig",
    "BookStart",
    "BrokerState",
    "Calendar",
    "DecodedTick",
    "EncodedRecords",
    "Feed",
    "Fresh",
    "Hours",
    "Kernel",
    "KernelConfig",
    "Kind",
    "Leaf",
    "OpenWindows",
    "Outcome",
    "Payloads",
    "PureBook",
    "PureKernel",
    "RecordBatch",
    "Reject",
    "Rung",
    "SeriesBlock",
    "SeriesState",
    "SlowDecoder",
    "WindowBlock",
    "around_the_clock",
    "book_class",
    "end_of",
    "header_at",
    "kernel_class",
    "lz4_frame",
    "part_of",
    "plain_batch",
    "record_batch",
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


def book_class(kernel: type[Kernel]) -> type[Book]:
    """The book that reads the blocks of a kernel: the same twin."""
    if kernel is PureKernel:
        return PureBook
    from barengine.kernel._book_c import CompiledBook  # noqa: PLC0415 - may not be built

    return CompiledBook
