"""Asking and scoring, how sure a score is, and what a comparison allows to be said: plain functions, no run folder."""
