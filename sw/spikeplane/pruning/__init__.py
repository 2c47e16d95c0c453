"""Structured pruning: whole channels of a trained network are removed, and a smaller dense one is left."""
