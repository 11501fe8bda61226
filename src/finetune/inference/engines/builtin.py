"""Our own engine: batches with a KV cache, and the adapter merged where no weight is rounded."""

from finetune.inference import choices, likelihood, merging, outputs
from finetune.inference import generate as decoding

prepared = merging.merged_adapter
generate, greedy, sample = decoding.generate, decoding.greedy, decoding.sample
distributions = choices.distributions
likelihoods = likelihood.likelihoods
last_outputs = outputs.last_outputs
