"""Checks of machine, packages and accounts before a run costs money, with a remedy for each."""
