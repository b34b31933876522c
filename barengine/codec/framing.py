"""The Confluent frame before an Avro value: byte 0, then the schema id in 4 bytes, big-endian.

https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

from __future__ import annotations

import struct
from typing import Final

HEADER_SIZE: Final = 5
MAGIC: Final = 0

_HEADER: Final = struct.Struct(">BI")


def confluent_header(schema_id: int) -> bytes:
    """The 5 bytes before a value of this schema id.

    Raises:
        ValueError: the id is no unsigned 32-bit number.
    """
    if not 0 <= schema_id < 2**32:
        raise ValueError(f"{schema_id} is no schema id")
    return _HEADER.pack(MAGIC, schema_id)
