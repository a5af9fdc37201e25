"""A pilot that runs no payloads: it registers, and then does what the test wants."""
