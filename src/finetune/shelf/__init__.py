"""Runs kept in Git without any text of their data: written, read, compared, and listed."""
