"""Texts, each with a label of a fixed set, which is predicted as a distribution over the set."""
