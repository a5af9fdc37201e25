"""The interface for Python users: `client.Client` submits, `task.Task` follows what was submitted."""
