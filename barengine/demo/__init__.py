"""The demonstration: ticks made up or played, a live view, and an independent check of bars."""
