"""Submitters: each drives one kind of batch system. `base` is their contract; entry points name the rest."""
