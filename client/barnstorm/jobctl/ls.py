"""`jobctl ls`: tasks, newest first."""

from .task import ls as command

__all__ = ["command"]
