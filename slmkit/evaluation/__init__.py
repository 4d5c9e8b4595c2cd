"""Asks systems the questions of a gold set, scores the answers, and reaches a verdict."""
