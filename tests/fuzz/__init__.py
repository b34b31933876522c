"""Bytes that nobody should send, by the million, on a kernel built with sanitizers."""
