"""Rows a second against a loop of one row at a time:  python bench/inference.py [--adapters models]

The loop is the way of public courses: a model loaded in 4 bits with its adapter beside the weights,
and for each row prompt, `generate`, decode; for prices also one forward pass a row and the mean of
its three likeliest tokens. A second loop runs over the weights as this project holds them for
inference, dequantized once where there is room, so that the table tells what comes from there: rows
name what the weights are. Same weights, same rows, and ways take turns; of each the fastest turn
counts, which other work on the machine disturbs least.
"""

import argparse
import importlib
import itertools
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tabulate import tabulate
from transformers import PreTrainedModel

from finetune.core import params
from finetune.core.files import read_jsonl
from finetune.core.schema import Method, Model, Task
from finetune.inference import budgets, choices
from finetune.inference.budgets import Budgets
from finetune.inference.generate import GenerationContext, generate
from finetune.inference.merging import merged_adapter
from finetune.methods import adapters
from finetune.modeling import base as base_model
from finetune.modeling.base import Base
from finetune.modeling.choice_tree import choice_tree
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks import registry
from finetune.tasks.price.rows import PRICES

Ways = dict[str, Callable[[list[str]], object]]
Held = tuple[Base, PreTrainedModel]
SLOW = ("mbr", "greedy and perplexity")


def main() -> None:
    """Print a table of all tasks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="folder; the model of params.yaml where not given")
    parser.add_argument("--adapters", type=Path, help="holds an adapter per task: DIR/<task>")
    parser.add_argument("--data", type=Path, help="holds DIR/<task>/test.jsonl; else generated")
    parser.add_argument("--rows", type=int, default=200, help="of each task, at most")
    parser.add_argument(
        "--loop-rows",
        type=int,
        default=40,
        help="of these, evenly chosen, that the loops are given",
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--prompt-tokens", type=int, help="run.eval_token_budget, where given")
    parser.add_argument("--tasks", nargs="*", help="these only")
    parser.add_argument("--slow", action="store_true", help="mbr and perplexity as well")
    options = parser.parse_args()
    read = params.read(Path("params.yaml"))
    run = read.run
    if options.prompt_tokens:
        run = run.model_copy(update={"eval_token_budget": options.prompt_tokens})
    model = read.model
    if options.model:
        model = model.model_copy(update={"name": options.model, "source": "local"})
    table = []
    for name in options.tasks or read.tasks:
        task = read.tasks[name]
        as_loaded, for_inference = (
            _held(model, read.method, flag, options.adapters and options.adapters / name)
            for flag in (False, True)
        )
        texts = _texts(name, task, options.data, options.rows)
        limits = budgets.resolve(run, for_inference[1])
        writes = hasattr(task.eval, "decode")
        ways = (_text_ways if writes else _price_ways)(as_loaded, for_inference, task, limits)
        if not options.slow:
            ways = {way: run for way, run in ways.items() if way not in SLOW}
        table += _measured(name, ways, texts, options.loop_rows, options.repeats)
    print(tabulate(table, headers=["task", "way", "rows", "rows/s", "of loop"], floatfmt=".1f"))


def _held(
    options: Model, method: Method, for_inference: bool, adapter: Path | None
) -> tuple[Base, PreTrainedModel]:
    base = base_model.load(options, method, for_inference)
    return base, adapters.load(base.model, adapter) if adapter else base.model


def _texts(name: str, task: Task, data: Path | None, count: int) -> list[str]:
    kind = registry.rows(task.kind)
    if data:
        rows = [kind.Row(**row) for row in read_jsonl(data / name / "test.jsonl")[:count]]
    else:
        generator = importlib.import_module(f"synthetic.rows.{task.source.embedded}")
        made = itertools.islice(generator.rows(random.Random(0)), count)
        rows = [kind.clean({"id": n, **row}) for n, row in enumerate(made)]
    return [row.input for row in rows]


def _measured(
    task: str, ways: Ways, texts: list[str], loop_rows: int, repeats: int
) -> list[list[Any]]:
    rates: dict[str, float] = {}
    timed: dict[str, int] = {}
    for turn in range(repeats):
        for way in list(ways) if turn % 2 else reversed(ways):
            given = texts[:: max(1, len(texts) // loop_rows)] if "loop" in way else texts
            started = time.perf_counter()
            ways[way](given)
            timed[way] = len(given)
            rates[way] = max(rates.get(way, 0.0), len(given) / (time.perf_counter() - started))
    loop = next(iter(rates[way] for way in ways))
    return [[task, way, timed[way], rates[way], rates[way] / loop] for way in ways]


def _loops(as_loaded: Held, for_inference: Held, encoder: PromptEncoder) -> Ways:
    return {
        f"loop: generate, {_weights(held[1])}": lambda texts, held=held: [
            _generated(*held, encoder, text) for text in texts
        ]
        for held in (as_loaded, for_inference)
    }


def _weights(model: PreTrainedModel) -> str:
    """What the weights of the linear layers are: `4-bit`, or a type of numbers."""
    weights = next(
        module.weight
        for name, module in model.get_decoder().named_modules()
        if isinstance(module, torch.nn.Linear) and "lora" not in name
    )
    return "4-bit" if hasattr(weights, "quant_state") else str(weights.dtype).removeprefix("torch.")


def _text_ways(as_loaded: Held, for_inference: Held, task: Task, limits: Budgets) -> Ways:
    base, model = for_inference
    encoder = PromptEncoder(base.tokenizer, task.prompt, base.context)
    cap = task.prompt.max_completion_tokens
    context = GenerationContext(model, base.tokenizer, limits, cap, "bench")

    def ours(decode: str, is_scored: bool = False) -> Callable[[list[str]], object]:
        def run(texts: list[str]) -> object:
            prompts = [encoder.encode(text).ids for text in texts]
            how = task.eval.model_copy(update={"decode": decode})
            references = None
            if is_scored:  # any text of a summary's length will do
                answers = (" ".join(text.split()[:20]) for text in texts)
                references = [encoder.encode_completion(answer).ids for answer in answers]
            with merged_adapter(model):
                return generate(context, prompts, references, how)

        return run

    return {
        **_loops(as_loaded, for_inference, encoder),
        "greedy": ours("greedy"),
        "mbr": ours("mbr"),
        "greedy and perplexity": ours("greedy", is_scored=True),
    }


def _price_ways(as_loaded: Held, for_inference: Held, task: Task, limits: Budgets) -> Ways:
    base, model = for_inference
    encoder = PromptEncoder(base.tokenizer, task.prompt, base.context)
    tree = choice_tree(encoder, [str(price) for price in PRICES], "price")

    def ours(texts: list[str]) -> object:
        prompts = [encoder.encode(text).ids for text in texts]
        pad_id = base.tokenizer.pad_token_id
        with merged_adapter(model):
            return choices.distributions(
                model, prompts, tree, task.eval.prune_below, limits, pad_id, "bench"
            )

    return {
        **_loops(as_loaded, for_inference, encoder),
        f"loop: top 3 of one pass, {_weights(as_loaded[1])}": lambda texts: [
            _top_3(*as_loaded, encoder, text) for text in texts
        ],
        "distribution": ours,
    }


@torch.inference_mode()
def _generated(base: Base, model: PreTrainedModel, encoder: PromptEncoder, text: str) -> str:
    ids = torch.tensor([encoder.encode(text).ids], device=model.device)
    out = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=encoder.prompt.max_completion_tokens,
    )
    return base.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)


@torch.inference_mode()
def _top_3(base: Base, model: PreTrainedModel, encoder: PromptEncoder, text: str) -> float:
    ids = torch.tensor([encoder.encode(text).ids], device=model.device)
    top = model(input_ids=ids).logits[0, -1].float().softmax(-1).topk(3)
    said = [base.tokenizer.decode(token) for token in top.indices]
    numbers = [
        (float(word), weight.item())
        for word, weight in zip(said, top.values, strict=True)
        if word.isdigit()
    ]
    total = sum(weight for _, weight in numbers)
    return sum(number * weight for number, weight in numbers) / total if total else 0.0


if __name__ == "__main__":
    main()
