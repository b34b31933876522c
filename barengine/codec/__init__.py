"""Bytes on the wire: Avro values of ticks and bars, field plans, Kafka's record layout."""
