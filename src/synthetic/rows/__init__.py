"""The synthetic data sets that are included in the repository."""
