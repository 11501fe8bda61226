"""Estimates of a run before it starts: memory by component, steps, tokens, time and cost."""
