"""Canonical rows to input_ids and labels: chat templates, loss masks, packing and batches."""
