"""Barnstorm's harvester: turns the demand of queues into workers on batch systems."""
