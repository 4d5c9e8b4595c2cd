"""Lessons: one idea per file, read from top to bottom. Each is a stage that measures the claim of its recipe."""
