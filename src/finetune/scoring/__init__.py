"""Scores and confidence intervals: pure functions, without torch."""
