"""Dialogues, or other texts, that are summarized."""
