"""Fine-tune a language model, and prove that it got better."""
