"""Event files: a reader for each format."""
