"""Inference: batched generation, choosing among labels, and the key-value cache."""
