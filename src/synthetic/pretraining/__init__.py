"""Makes the embedded base model: its text, its tokenizer, its weights."""
