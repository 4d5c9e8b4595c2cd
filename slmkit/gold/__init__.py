"""Frozen gold sets: freeze, read, check, extend and compare them, and keep them out of training."""
