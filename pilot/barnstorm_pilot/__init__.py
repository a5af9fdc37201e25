"""Barnstorm's pilot: validates a worker node, leases jobs and runs their payloads."""
