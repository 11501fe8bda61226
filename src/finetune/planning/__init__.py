"""What a run needs before it starts: memory by part, steps, tokens, time and cost."""
