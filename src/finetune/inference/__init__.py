"""Prefill, decoding and log-likelihoods, in batches."""

from finetune import modeling  # noqa: F401  what it sets must be set before bitsandbytes' import
