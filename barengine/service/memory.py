"""What the C library does with memory that was freed."""

from __future__ import annotations

import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
"""Options of glibc's mallopt, https://man7.org/linux/man-pages/man3/mallopt.3.html."""

_LARGEST_BLOCK: Final = 32 * 1024 * 1024
"""The most that glibc takes; a fetch of all partitions is some MiB."""

_KEPT: Final = 64 * 1024 * 1024
"""Freed memory that may stay with the process: a few fetches and what they unpack to."""


def keep_freed_memory() -> bool:
    """Reuse freed memory instead of giving it back to the system; False: the library cannot.

    Every fetch is a few MiB, gone some milliseconds later. By default glibc returns such blocks
    at once, and the next fetch pays for fresh pages: a tenth of a tick's cost.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK) and mallopt(_TRIM_THRESHOLD, _KEPT))
