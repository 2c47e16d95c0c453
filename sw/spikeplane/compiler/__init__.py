"""From an integer network to the image of a core."""
