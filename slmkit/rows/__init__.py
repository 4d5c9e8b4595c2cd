"""Canonical rows to input_ids and labels: loss masks, chat template checks, packing and batches."""
