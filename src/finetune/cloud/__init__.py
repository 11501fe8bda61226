"""Runs on rented machines: what they push, whether it has arrived, how they are started."""
