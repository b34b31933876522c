"""One batch through the compiled kernel of an installed barengine: ``python kernel_once.py``.

Needs nothing but the installation; a wheel's test command, too. Ends with an error unless the
compiled kernel gives the bytes that the pure one, its specification, gives.
"""

from __future__ import annotations

import struct

from barengine.codec.compile import compile_plan
from barengine.codec.fields import TICK_SCHEMA, Fields
from barengine.codec.records import encode_record
from barengine.codec.varint import encode_varint
from barengine.kernel import KernelConfig, Payloads, RecordBatch, kernel_class
from barengine.model import Period

START_MS = 1_750_000_020_000
TICKS = 5_000
SERIES = 50
WHOLE = 2**62


def value(number: int) -> bytes:
    """A tick every 100 ms, of the next series and with a price of its own."""
    symbol = f"S{number % SERIES}".encode()
    time = encode_varint(START_MS + 100 * number)
    text = b"\x02A" + encode_varint(len(symbol)) + symbol
    return b"\0\0\0\0\1" + text + time + struct.pack("<d", 1 + number / 7)


def bars(kernel_name: str) -> tuple[int, list[bytes]]:
    """How many bars there are, and their records as they would be written."""
    kernel = kernel_class(kernel_name)(KernelConfig(Period.parse("1m"), 0))
    kernel.add_schema(0, compile_plan(TICK_SCHEMA, Fields()))
    records = (encode_record(n, n, None, value(n), []) for n in range(TICKS))
    kernel.process(RecordBatch(b"".join(records), TICKS, 0, START_MS), 0, TICKS, WHOLE)
    kernel.drain()
    block, payloads = kernel.take_bars(), Payloads(WHOLE)
    block.encode(payloads)
    return len(block), [part.payload for part in payloads.encoded()]


def main() -> None:
    compiled, pure = bars("compiled"), bars("pure")
    if compiled != pure or compiled[0] == 0:
        raise SystemExit(f"compiled {compiled[0]} bars, pure {pure[0]}: they differ, or are none")
    print(f"{compiled[0]} bars of {TICKS} ticks by the compiled kernel")  # noqa: T201 - its result


if __name__ == "__main__":
    main()
