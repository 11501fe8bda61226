"""From prompts to summaries and prices, in batches."""

from finetune import modeling  # noqa: F401  what it sets must stand before bitsandbytes is imported
