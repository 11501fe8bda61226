"""Forms of a tuned model, such as exported, served or hosted: measured like the adapter."""
