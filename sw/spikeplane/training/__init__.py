"""Trainings: networks as modules (``net``), recipes (``recipe``), and running them (``run``)."""
