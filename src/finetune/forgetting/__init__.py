"""What tuning may cost: the likelihood of general text under the base and the tuned model."""
