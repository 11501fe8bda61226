"""Pretraining of the embedded base model: corpus, tokenizer and training."""
