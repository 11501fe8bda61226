"""The HTTP server: `finetune serve` answers requests by the project's own inference."""
