"""Batch sizes of inference: prefill is bounded by tokens, decoding by the bytes of the KV cache."""

from collections.abc import Callable
from dataclasses import dataclass

from transformers import PreTrainedConfig, PreTrainedModel

from finetune.core.memory import GB, least_available_on
from finetune.core.schema import Run

# The most that `auto` takes, whatever memory there is: above it nothing gets faster, and machines
# that have more than this come to the same batches, so to the same rounding.
# A CPU's are measured: with the embedded model, summaries gain little above 4,096 tokens and prices
# lose a little from 1,024 on. A GPU's were not run on one.
MAX_PROMPT_TOKENS = {"cpu": 4_096, "cuda": 65_536}
MAX_CACHE_BYTES = {"cpu": 2**30, "cuda": 2**35}
# Of one forward pass over prompts, references or a tree: with more, activations leave the caches of
# a CPU. Measured with SmolLM2 on 48 dialogues, one thread: prompts and references took 25 to 27 s
# at 256 to 768 tokens, 28 s at 1,024, 30 s at 2,048 and 35 to 38 s at 4,096.
PASS_TOKENS = {"cpu": 512}
# Rows that decode together: answers are kept, and progress is shown, by batches.
MAX_ROWS = {"cpu": 64, "cuda": 1_024}
# Of the free memory; the rest is for logits, copies and what the estimate does not cover.
PROMPT_FRACTION = 1 / 4
CACHE_FRACTION = 1 / 2
# Logits in memory at once, 512 MiB of float32: vocabularies are large, and a batch has many tokens.
MAX_LOGITS = 2**27


@dataclass(frozen=True)
class Budgets:
    """Bounds of a batch; a single row may exceed them.

    prompt_tokens: of the prompts of a batch, padding included, where they are prefilled at once.
    cache_bytes: of the KV cache of a batch, for its prompts and the tokens decoded after them.
    """

    prompt_tokens: int
    cache_bytes: int

    def metrics(self) -> dict[str, float]:
        """The budgets as the metric files have them."""
        return {"prompt_tokens": self.prompt_tokens, "cache_gb": round(self.cache_bytes / GB, 3)}

    def max_rows(
        self, model: PreTrainedModel, columns: int, copies: int = 1
    ) -> Callable[[int], int]:
        """How many rows a batch may have, as a function of the tokens of its longest prompt.

        `columns` of the KV cache come on top of these: the prompts' common prefix, new tokens. Each
        row has so many `copies` in the cache.
        """

        def rows(longest: int) -> int:
            cached = self.max_cached_rows(model, longest + columns, copies)
            return min(self.prompt_tokens // max(1, longest), cached)

        return rows

    def max_cached_rows(self, model: PreTrainedModel, columns: int, copies: int = 1) -> int:
        """How many rows of so many columns may decode at once, each with so many copies."""
        row_bytes = columns * copies * cache_bytes_per_token(model)
        most = min(self.max_logit_tokens(model), MAX_ROWS[model.device.type])
        return max(1, min(self.cache_bytes // row_bytes, most // copies))

    def pass_tokens(self, model: PreTrainedModel) -> int:
        """How many tokens one forward pass may have, where a batch may be passed in parts."""
        return min(self.prompt_tokens, PASS_TOKENS.get(model.device.type, self.prompt_tokens))

    def max_logit_tokens(self, model: PreTrainedModel) -> int:
        """How many tokens may have their logits in memory at once."""
        return min(self.pass_tokens(model), MAX_LOGITS // model.config.get_text_config().vocab_size)


def resolve(run: Run, model: PreTrainedModel) -> Budgets:
    """The budgets that `run` sets; `auto` is the largest power of two that fits the free memory.

    Free memory varies from run to run. Rounded down to a power of two, and capped, it gives the
    same budgets on one machine again and again, hence the same batches and the same predictions.
    All processes of a stage must call it, and get the same: that with the least memory decides.
    """
    device = model.device.type
    free = least_available_on(device, run.memory_gb)
    if run.eval_token_budget == "auto":
        fitting = free * PROMPT_FRACTION / activation_bytes_per_token(model)
        tokens = min(MAX_PROMPT_TOKENS[device], _power_of_two(fitting))
    else:
        tokens = run.eval_token_budget
    if run.cache_gb == "auto":
        cache_bytes = min(MAX_CACHE_BYTES[device], _power_of_two(free * CACHE_FRACTION))
    else:
        cache_bytes = int(run.cache_gb * GB)
    return Budgets(tokens, cache_bytes)


def cache_bytes_per_token(model: PreTrainedModel) -> int:
    """Bytes of one token's keys and values in all layers; sliding windows count in full."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    return 2 * config.num_hidden_layers * heads * _head_size(config) * model.dtype.itemsize


def activation_bytes_per_token(model: PreTrainedModel) -> int:
    """About how many bytes of activations one layer of a prefill has at once for each token.

    The residual stream, its norm and sum; queries, with keys and values repeated for each query
    head; the MLP's gate, up-projection, activation and product.
    """
    config = model.config.get_text_config()
    hidden = config.hidden_size
    mlp = getattr(config, "intermediate_size", None) or 4 * hidden
    queries = config.num_attention_heads * _head_size(config)
    return (4 * hidden + 5 * queries + 4 * mlp) * model.dtype.itemsize


def _head_size(config: PreTrainedConfig) -> int:
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def _power_of_two(number: float) -> int:
    """The largest power of two that is not above a number, at least 1."""
    return 1 << max(0, int(number).bit_length() - 1)
