"""Lessons: one idea a file, read from top to bottom. Each is a stage, and measures the claim its recipe makes."""
