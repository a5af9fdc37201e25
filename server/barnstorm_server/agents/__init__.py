"""The loops: what happens without anybody asking. Exactly one process runs each at a time."""
