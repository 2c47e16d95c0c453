"""Data sets by their names, and how recordings become inputs."""
