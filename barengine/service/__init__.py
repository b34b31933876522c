"""The process around the engine: tasks, recovery, scheduling, HTTP, logs."""
