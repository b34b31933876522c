"""Who takes part. Nothing is imported here: it would count as memory of the programs beside it."""
