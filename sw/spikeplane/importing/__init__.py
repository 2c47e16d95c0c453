"""Networks that other libraries trained: their files, what they mean in integers, their quantization."""
