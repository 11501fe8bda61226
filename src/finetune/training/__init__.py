"""The trainer, its callbacks, run state and resume."""
