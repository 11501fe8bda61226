"""Scores and intervals: pure functions, no torch."""
