"""Instructions, with or without a context, that are answered in a text."""
