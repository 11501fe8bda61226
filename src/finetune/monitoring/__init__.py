"""Whether what a server logged is like the data and predictions that its models were scored by."""
