"""The integer network: a graph, its kinds of nodes, its file, the integer model, what is counted."""
