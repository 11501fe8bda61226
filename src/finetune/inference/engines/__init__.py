"""What computes answers: our own code, transformers as the reference, or vLLM; see `registry`."""
