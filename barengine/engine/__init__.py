"""The engine of one partition: synchronous, takes bytes and time, returns effects."""
