from collections.abc import Callable
from typing import Any

from barengine.kernel._protocol import BatchHeader

def header_at(data: bytes, start: int) -> BatchHeader | None: ...
def end_of(data: bytes, offset: int) -> int: ...
def lz4_frame(
    data: memoryview, decompress_block_into: Callable[..., Any]
) -> bytes | None: ...
