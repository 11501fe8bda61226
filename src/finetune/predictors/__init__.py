"""What gives predictions: a model in this machine's memory, or one behind an API: `registry`."""
