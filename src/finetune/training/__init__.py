"""The trainer, its callbacks, token budgets, run state and resume."""
