"""Everyone who takes part, in the order of the table."""

from __future__ import annotations

from benchmarks.contender import Contender
from benchmarks.contenders import extras, java, ours, peers


def contenders() -> list[Contender]:
    """All of them, extras and unavailable ones too."""
    return [
        ours.COMPILED,
        ours.PURE,
        java.PROCESSOR,
        java.BEST,
        java.DEFAULT,
        peers.LOOP,
        extras.QUIX,
        extras.BYTEWAX,
        java.READING,
        peers.READING_AIOKAFKA,
        peers.READING_LIBRDKAFKA,
    ]
