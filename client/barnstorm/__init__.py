"""Barnstorm: one place to send work that needs machines which belong to others."""
