"""What an administrator does on the server's own machine, without asking a running server."""
