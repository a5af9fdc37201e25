"""Barnstorm's plugins: submitters, stagers and their kin, found through entry points."""
