"""The nouns of the system as plain dataclasses, their states and transitions. No I/O, standard library only."""
