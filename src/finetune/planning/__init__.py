"""What a run needs before it starts: memory, steps, tokens, time and cost."""
