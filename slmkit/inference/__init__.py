"""Prompts to answers: batched generation, the key-value cache, and the likeliest of given labels."""
