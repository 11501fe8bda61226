"""People's eyes: a page with the answers of two runs side by side, and what its ratings say."""
