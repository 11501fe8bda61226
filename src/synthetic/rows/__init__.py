"""The synthetic world that the repository ships with."""
