"""Confidence intervals, paired tests, and the power of a gold set."""
