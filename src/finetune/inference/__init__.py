"""From prompts to summaries and prices, in batches."""
