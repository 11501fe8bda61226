"""Adapters and exports on the Hugging Face hub, each with a card made from the metrics."""
