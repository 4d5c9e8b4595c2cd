"""Text comparison: equality after normalisation, near duplicates and leakage. Pure functions."""
