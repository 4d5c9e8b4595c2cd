"""Retrievers: each indexes passages once and finds the best for a query."""
