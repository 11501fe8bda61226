"""This repository's own inference at dfb0841, for bench/inference.py: all imports are that code's.

It answered and scored in two passes over the prompts, and searched a tree of prices level by level
from copies of their KV cache. Its settings are those of its own params.yaml.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import finetune
from finetune import params, schema
from finetune.inference import perplexity, prices
from finetune.inference.generate import Writer, greedy
from finetune.inference.merging import merged
from finetune.modeling import adapters
from finetune.modeling import base as base_model
from finetune.modeling.prompts import PromptEncoder

# Token ids of prompts and of references, to an answer for each.
Answer = Callable[[list[list[int]], list[list[int]]], list[Any]]


def load(way: str, options: argparse.Namespace, folder: Path) -> Answer:
    """The model with its adapter, as the commit's own stage would load and use it."""
    root = folder / way
    if root not in Path(finetune.__file__).parents:
        raise RuntimeError(f"{finetune.__file__} is not the code of {way}")
    task = params.read(root / "params.yaml").tasks[options.task]
    source = schema.Model(name=options.model, source="local", revision=None, watch=options.model)
    method = schema.Method(
        quantization=options.quantization, double_quantization=True, compute_dtype="auto"
    )
    base = base_model.load(source, method, for_inference=True)
    model = adapters.load(base.model, Path(options.adapter or folder / "adapter"))
    size, pad_id = task.eval.batch_size, base.tokenizer.pad_token_id

    def texts(prompts: list[list[int]], references: list[list[int]]) -> list[Any]:
        cap = task.prompt.max_completion_tokens
        with merged(model):
            answers = greedy(Writer(model, base.tokenizer, size, cap, "bench"), prompts)
            nlls = perplexity.surprise(model, prompts, references, size, pad_id, "bench")
        return [[answer.text, nll] for answer, nll in zip(answers, nlls, strict=True)]

    if hasattr(task.eval, "decode"):
        return texts
    tree = prices.price_tree(PromptEncoder(base.tokenizer, task.prompt, base.context))

    def distributions(prompts: list[list[int]], references: list[list[int]]) -> list[Any]:
        with merged(model):
            found = prices.distributions(
                model, prompts, tree, task.eval.floor, size, pad_id, "bench"
            )
        return [each.probabilities.tolist() for each in found]

    return distributions
