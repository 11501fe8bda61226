"""Paired comparisons of two or more revisions, from their predictions in Git and DVC."""
