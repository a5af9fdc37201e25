"""Barnstorm's server: the REST boundary, its rules, its store and its agents."""
