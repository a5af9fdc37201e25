"""Bytes that are never in the database: blobs by their hash, logs by their offsets, each behind one small interface."""
