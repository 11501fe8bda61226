"""Sources, cleaning, duplicates and leaks, the synthetic corpora. Does not import torch."""
