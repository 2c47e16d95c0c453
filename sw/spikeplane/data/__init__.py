"""Recordings, the event camera model, and data sets."""
