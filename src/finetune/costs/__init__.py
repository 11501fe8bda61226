"""What a tuned model costs to train and to ask, beside hosted ones."""
