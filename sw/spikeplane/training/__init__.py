"""Training: from a recipe to a checkpoint and its integer network.

A recipe (``recipes``) describes data, neurons, layers (``networks``) and optimization; ``train``
makes a checkpoint of it, ``evaluate`` measures it and ``export`` turns it into integers.
"""
