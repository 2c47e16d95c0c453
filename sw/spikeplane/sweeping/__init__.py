"""Sweeps: many trainings of a recipe with other bits, widths, steps and pruning, accuracy against cost."""
