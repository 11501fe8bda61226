"""How a base model is tuned: one module a tuner, found by `registry`."""
