"""Decisions without I/O: each is a value with its reason."""
