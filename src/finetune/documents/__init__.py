"""Instruction–response pairs out of documents: readers, passages, questions, splits by document."""
