"""Decisions without I/O: how many workers, of which shape, and why; what a batch system's answer means for a worker."""
