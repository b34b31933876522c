"""Measurements without a broker: one piece of the engine at a time."""
