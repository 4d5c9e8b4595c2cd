"""Chooses a base model: model cards, hard constraints, bounds on memory and speed, and measurements."""
