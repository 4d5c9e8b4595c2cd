"""Retrievers: each indexes passages once and returns the best ones for a query."""
