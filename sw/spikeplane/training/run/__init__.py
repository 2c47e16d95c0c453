"""Trainings as they run: batches, checkpoints, processes, evaluation."""
