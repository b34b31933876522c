"""barengine: market ticks in Apache Kafka become finalized OHLC bars, exactly once."""

__version__ = "0.1.0"
