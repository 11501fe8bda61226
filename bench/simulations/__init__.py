"""Simulations of the project's statistics: a table a function, named in `command.TABLES`."""
