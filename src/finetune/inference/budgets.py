"""What a batch may hold: prompts by their tokens, decoding by the bytes of its keys and values."""

from collections.abc import Callable
from dataclasses import dataclass

from transformers import PreTrainedModel

from finetune.core.memory import GB, available_on
from finetune.core.schema import Run

# The most that `auto` takes, whatever memory there is: above it nothing gets faster, and machines
# that have more than this come to the same batches, so to the same rounding.
# A CPU's are measured: with the embedded model, summaries gain little above 4,096 tokens and prices
# lose a little from 1,024 on. A GPU's were not run on one.
MAX_PROMPT_TOKENS = {"cpu": 4_096, "cuda": 65_536}
MAX_CACHE_BYTES = {"cpu": 2**30, "cuda": 2**35}
# Of the memory that can be had; the rest is for logits, copies and what the estimate does not know.
PROMPT_SHARE = 1 / 4
CACHE_SHARE = 1 / 2
# Logits held at once, 512 MiB of float32: a vocabulary is wide, and a batch has many tokens.
MAX_LOGITS = 2**27


@dataclass(frozen=True)
class Budgets:
    """Bounds of a batch; a single row may exceed them.

    prompt_tokens: of one prefill, padding included.
    cache_bytes: of the keys and values of a batch, for its prompts and what is decoded after them.
    """

    prompt_tokens: int
    cache_bytes: int

    def metrics(self) -> dict[str, float]:
        """As the metric files have them."""
        return {"prompt_tokens": self.prompt_tokens, "cache_gb": round(self.cache_bytes / GB, 3)}

    def max_rows(
        self, model: PreTrainedModel, columns: int, copies: int = 1
    ) -> Callable[[int], int]:
        """How many rows a batch may have, by the tokens of its longest prompt.

        `columns` of the KV cache come on top of these: the opening that prompts share, new tokens.
        Each row stands in the cache in so many copies.
        """

        def rows(longest: int) -> int:
            cached = self.cached_rows(model, longest + columns, copies)
            return min(self.prompt_tokens // max(1, longest), cached)

        return rows

    def cached_rows(self, model: PreTrainedModel, columns: int, copies: int = 1) -> int:
        """How many rows of so many columns may decode at once, each in so many copies."""
        row_bytes = columns * copies * cache_bytes_per_token(model)
        return max(1, min(self.cache_bytes // row_bytes, self.scored_tokens(model) // copies))

    def scored_tokens(self, model: PreTrainedModel) -> int:
        """How many tokens may have their logits in memory at once."""
        return min(self.prompt_tokens, MAX_LOGITS // model.config.get_text_config().vocab_size)


def find(run: Run, model: PreTrainedModel) -> Budgets:
    """The budgets that `run` gives; `auto` is a power of two that fits the memory left.

    Free memory varies from run to run. Rounded down to a power of two, and capped, it gives the
    same budgets on one machine again and again, hence the same batches and the same predictions.
    """
    device = model.device.type
    free = available_on(device, run.memory_gb)
    tokens, cache_gb = run.eval_token_budget, run.cache_gb
    if tokens == "auto":
        fitting = free * PROMPT_SHARE / activation_bytes_per_token(model)
        tokens = min(MAX_PROMPT_TOKENS[device], _power_of_two(fitting))
    if cache_gb == "auto":
        cache_bytes = min(MAX_CACHE_BYTES[device], _power_of_two(free * CACHE_SHARE))
    else:
        cache_bytes = int(cache_gb * GB)
    return Budgets(tokens, cache_bytes)


def cache_bytes_per_token(model: PreTrainedModel) -> int:
    """Keys and values of one token in all layers; layers with a sliding window count in full."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    return 2 * config.num_hidden_layers * heads * _head_size(config) * model.dtype.itemsize


def activation_bytes_per_token(model: PreTrainedModel) -> int:
    """What one layer of a prefill holds at once for a token, roughly.

    The residual stream, its norm and sum; queries, with keys and values repeated for each query
    head; the MLP's gate, up-projection, activation and product.
    """
    config = model.config.get_text_config()
    hidden = config.hidden_size
    mlp = getattr(config, "intermediate_size", None) or 4 * hidden
    queries = config.num_attention_heads * _head_size(config)
    return (4 * hidden + 5 * queries + 4 * mlp) * model.dtype.itemsize


def _head_size(config: object) -> int:
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def _power_of_two(number: float) -> int:
    """The largest that is not above a number, 1 at least."""
    return 1 << max(0, int(number).bit_length() - 1)
