"""Both kernels side by side: every call goes to each, and whatever comes back must be equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from barengine.codec.plan import FieldPlan
from barengine.kernel import (
    BarBlock,
    Kernel,
    KernelConfig,
    Outcome,
    RecordBatch,
    SeriesBlock,
    WindowBlock,
    kernel_class,
)
from barengine.kernel._protocol import SlowDecoder
from barengine.model import Bar
from tests.encoded import encoded, encoded_state

_T = TypeVar("_T")

EVERYTHING = 2**62
"""A stop offset, or a size, that nothing reaches."""


class Pair:
    """The pure and the compiled kernel, given the same calls."""

    def __init__(self, config: KernelConfig) -> None:
        self.config = config
        self.kernels: list[Kernel] = [
            kernel_class("pure")(config),
            kernel_class("compiled")(config),
        ]
        self.blocks: list[WindowBlock] = []
        self.as_of = 0

    def both(self, call: Callable[[Kernel], _T]) -> _T | Exception:
        """The answer that both gave, or the ValueError that both raised."""
        pure, compiled = (_outcome(call, kernel) for kernel in self.kernels)
        assert repr(compiled) == repr(pure)
        self.compare_state()
        return pure

    def add_schema(
        self, schema_id: int, plan: FieldPlan | None, slow: SlowDecoder | None = None
    ) -> None:
        """A schema for both."""
        for kernel in self.kernels:
            kernel.add_schema(schema_id, plan, slow)

    def feed(
        self,
        batch: RecordBatch,
        start: int = 0,
        stop: int = EVERYTHING,
        wall_ns: int = EVERYTHING,
        *,
        replay: bool = False,
        skip: tuple[int, ...] = (),
    ) -> Outcome | Exception:
        """Process a batch in both."""
        return self.both(
            lambda kernel: kernel.process(batch, start, stop, wall_ns, replay=replay, skip=skip)
        )

    def compare_state(self) -> None:
        """Everything that can be seen without changing it."""
        pure, compiled = (
            (
                *(kernel.brokers(), kernel.low_water(), kernel.stored_open),
                *(kernel.open_windows, kernel.pending),
            )
            for kernel in self.kernels
        )
        assert compiled == pure

    def take(self, max_bytes: int = EVERYTHING) -> list[Bar]:
        """Drain both and take out bars and states of series; the bars that both gave."""
        self.both(lambda kernel: kernel.drain())
        bars = self._taken([kernel.take_bars() for kernel in self.kernels], max_bytes)
        self.take_series(max_bytes)
        return bars

    def take_live(self, max_bytes: int = EVERYTHING) -> list[Bar]:
        """Take the bars so far out of both; those that both gave."""
        return self._taken([kernel.take_live() for kernel in self.kernels], max_bytes)

    def _taken(self, blocks: list[BarBlock], max_bytes: int) -> list[Bar]:
        pure, compiled = (
            (
                *(len(block), block.skipped, block.bars()),
                *(encoded(block, max_bytes), encoded(block)),
            )
            for block in blocks
        )
        assert compiled == pure
        return blocks[0].bars()

    def store(self, as_of: int, max_bytes: int = EVERYTHING) -> None:
        """Store the open windows of both; kept are the blocks that both gave."""
        blocks = self.both(lambda kernel: kernel.store_windows(as_of).pack(max_bytes))
        assert isinstance(blocks, list)
        self.blocks, self.as_of = blocks, as_of

    def load_stored(self) -> object:
        """What the other method kept goes into both."""
        return self.both(lambda kernel: kernel.load_windows(self.as_of, self.blocks))

    def take_series(self, max_bytes: int = EVERYTHING) -> None:
        """Take out states of series, without a drain before."""
        self.both(lambda kernel: _told(kernel.take_series(), max_bytes))

    def close_all(self) -> list[Bar]:
        """Let silence close every window (of a configuration that lets it) and take the bars."""
        self.both(lambda kernel: kernel.advance(2**61))
        return self.take()


def _told(block: SeriesBlock, max_bytes: int) -> tuple[object, ...]:
    """Everything that a block tells."""
    some = encoded_state(block, max_bytes, 1_750_000_000_000)
    return len(block), block.states(), some, encoded_state(block)


def _outcome(call: Callable[[Kernel], _T], kernel: Kernel) -> _T | Exception:
    try:
        return call(kernel)
    except ValueError as error:
        return error
