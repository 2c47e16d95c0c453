"""Networks as PyTorch modules: neurons, quantizers, layers, families, and their export."""
