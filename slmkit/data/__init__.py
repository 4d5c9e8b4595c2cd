"""Data: reading files of any shape into canonical rows, and keeping gold apart from training."""
