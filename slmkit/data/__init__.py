"""Data: files of any shape become canonical rows, are cleaned, and are split."""
