"""A GGUF file that llama.cpp computes, with as much of a model's interface as the engine
`transformers` asks for: logits of given ids, and greedy decoding.
"""

import functools
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedConfig


class LlamaModel:
    """One row at a time; keys and values of what a row has in common with the last are kept."""

    device = torch.device("cpu")
    dtype = torch.float32
    generation_config: GenerationConfig

    def __init__(self, file: Path, config: PreTrainedConfig, positions: int) -> None:
        """`config` is that of the model which the file was made of; `positions` the most tokens."""
        threads = torch.get_num_threads()
        self.config = config
        self._ids: list[int] = []
        self._llama = _llama(
            file, n_ctx=positions, logits_all=True, n_threads=threads, n_threads_batch=threads
        )

    def __call__(self, input_ids: torch.Tensor, **_: Any) -> SimpleNamespace:
        """Logits (rows, tokens, vocabulary) of rows of ids, (rows, tokens)."""
        rows = [self._logits(row) for row in input_ids.tolist()]
        return SimpleNamespace(logits=torch.stack(rows))

    def _logits(self, ids: list[int]) -> torch.Tensor:
        self._evaluate(ids)
        return torch.from_numpy(self._llama.scores[: len(ids)].copy())

    def _evaluate(self, ids: list[int]) -> None:
        common = _common(self._ids, ids)
        self._llama.n_tokens = common
        if common < len(ids):
            self._llama.eval(ids[common:])
        self._ids = list(ids)

    def generate(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, max_new_tokens: int
    ) -> torch.Tensor:
        """The ids of one row (1, tokens) with those of its greedy answer, up to an end token."""
        (ids,) = input_ids.tolist()
        ends = self.generation_config.eos_token_id
        for _ in range(max_new_tokens):
            self._evaluate(ids)
            ids = [*ids, int(self._llama.scores[len(ids) - 1].argmax())]
            if ids[-1] in ends:
                break
        return torch.tensor([ids])


def tokenizes_alike(file: Path, texts: Iterable[tuple[str, list[int]]]) -> int:
    """How many texts llama.cpp tokenizes to the given ids, by a file with a vocabulary."""
    llama = _llama(file, vocab_only=True)
    return sum(
        llama.tokenize(text.encode(), add_bos=False, special=True) == ids for text, ids in texts
    )


def _common(one: list[int], other: list[int]) -> int:
    """How many ids two sequences begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _llama(file: Path, **options: Any) -> Any:
    """llama.cpp with a file, without its log: `verbose=False` leaves warnings of no use in it."""
    import llama_cpp

    llama_cpp.llama_log_set(_silent(), None)
    return llama_cpp.Llama(str(file), verbose=False, **options)


@functools.cache  # llama.cpp keeps a pointer to it
def _silent() -> Any:
    import llama_cpp

    return llama_cpp.llama_log_callback(lambda *_: None)
