"""Frozen test sets: made, read, checked, compared, and kept out of training."""
