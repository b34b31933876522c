from collections.abc import Callable
from typing import Any

from barengine.kernel._protocol import BatchHeader, RecordBatch

def header_at(data: bytes | memoryview, start: int) -> BatchHeader | None: ...
def end_of(data: bytes | memoryview, offset: int) -> int: ...
def part_of(data: bytes | memoryview, start: int, stop: int) -> bytes: ...
def plain_batch(
    data: bytes | memoryview,
    start: int,
    crc32c: Callable[..., int],
    decompress_block_into: Callable[..., Any],
) -> tuple[RecordBatch, int, int] | None: ...
def lz4_frame(
    data: memoryview, decompress_block_into: Callable[..., Any]
) -> bytes | None: ...
