"""Integer networks for other libraries: files that these read."""
