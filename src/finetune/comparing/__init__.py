"""Is one revision better than another? Predictions out of Git and DVC, paired row by row."""
