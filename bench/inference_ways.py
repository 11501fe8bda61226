"""The ways of bench/inference.py that run this code, or transformers on the model that it loads."""

import argparse
import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import interleaved
import numpy as np
import torch
import transformers
from torch.nn import functional
from transformers import PreTrainedModel

from finetune.core import params
from finetune.core.schema import Method, Model, Params, Task
from finetune.inference import budgets
from finetune.inference.budgets import Budgets
from finetune.inference.engines import builtin, reference, vllm_engine
from finetune.inference.generate import Generated, GenerationContext
from finetune.methods import adapters
from finetune.methods import registry as methods
from finetune.modeling import base as base_model
from finetune.modeling import precision
from finetune.modeling.base import Base
from finetune.modeling.batches import pad_left, position_ids
from finetune.modeling.choice_tree import Node, Tree, choice_tree
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks.price.rows import PRICES

Ids = list[list[int]]
# Token ids of prompts and of references, to an answer for each: [text, negative log-likelihood], or
# the probabilities of all prices.
Answer = Callable[[Ids, Ids], list[Any]]
# Of the adapter's second factor, which training starts at zero; a trained one's are of this size.
STANDARD_DEVIATION = 0.01


@dataclass(frozen=True)
class Loaded:
    """A model with its adapter attached, and what its task asks; `tree` is None for texts."""

    base: Base
    model: PreTrainedModel
    adapter: Path
    task: Task
    tree: Tree | None
    limits: Budgets

    @property
    def context(self) -> GenerationContext:
        """What decoding needs."""
        cap = self.task.prompt.max_completion_tokens
        return GenerationContext(self.model, self.base.tokenizer, self.limits, cap, "bench")

    @property
    def pad_id(self) -> int:
        """Any token that is masked."""
        return self.base.tokenizer.pad_token_id


def prepare(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Write the rows' token ids, and an adapter where none is given; returns what the rows are."""
    settings = params.read(interleaved.ROOT / "params.yaml")
    task = settings.tasks[options.task]
    base = base_model.load(*_model(options), for_inference=True)
    encoder = PromptEncoder(base.tokenizer, task.prompt, base.context)
    rows = [
        row.for_prompt(task.prompt)
        for row in interleaved.task_rows(options.task, options.data, options.rows)
    ]
    prompts = [encoder.encode(row.input).ids for row in rows]
    references = [encoder.encode_completion(row.completion).ids for row in rows]
    inputs = {"prompts": prompts, "references": references}
    (folder / "inputs.json").write_text(json.dumps(inputs), encoding="utf-8")
    if options.adapter is None:
        _draw_adapter(base, settings, folder / "adapter")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    what = (
        f"{options.task}, {options.model}, {len(rows)} rows of {np.mean([*map(len, prompts)]):.0f} "
        f"prompt tokens, {options.rounds} rounds; {device}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, transformers {transformers.__version__}"
    )
    return {"rows": len(rows), "what": what}


def _draw_adapter(base: Base, settings: Params, folder: Path) -> None:
    """An adapter of the parameters' rank, with weights in both factors, as training leaves them."""
    torch.manual_seed(settings.train.seed)
    model = methods.of(settings.method).attach(base.model, settings.lora, settings.method)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=STANDARD_DEVIATION)
    adapters.save(model, folder)


def _model(options: argparse.Namespace) -> tuple[Model, Method]:
    source = Model(name=options.model, source="local", revision=None, watch=options.model)
    method = Method(
        tuner="lora",
        quantization=options.quantization,
        double_quantization=True,
        compute_dtype="auto",
    )
    return source, method


def load(way: str, options: argparse.Namespace, folder: Path) -> Answer:
    """A way's function of prompts and references, with the model loaded.

    Weights are dequantized once, on a GPU for our own way only (not run on one).
    """
    settings = params.read(interleaved.ROOT / "params.yaml")
    task = settings.tasks[options.task]
    source, method = _model(options)
    adapter = Path(options.adapter or folder / "adapter")
    base = base_model.load(source, method, way == "ours" or precision.device() == "cpu")
    model = adapters.load(base.model, adapter)
    run = settings.run
    if options.prompt_tokens:
        run = run.model_copy(update={"eval_token_budget": options.prompt_tokens})
    encoder = PromptEncoder(base.tokenizer, task.prompt, base.context)
    writes = hasattr(task.eval, "decode")
    tree = None if writes else choice_tree(encoder, [str(price) for price in PRICES], "price")
    loaded = Loaded(base, model, adapter, task, tree, budgets.resolve(run, model))
    prepared = builtin.prepared if way in MERGED else reference.prepared
    function = (TEXTS if writes else DISTRIBUTIONS)[way]

    def answer(prompts: Ids, references: Ids) -> list[Any]:
        with prepared(model), precision.autocast(model, base.dtype):
            return function(loaded, options, prompts, references)

    return answer


def _pairs(generated: Sequence[Generated]) -> list[Any]:
    return [[each.text, each.reference_nll] for each in generated]


def _our_texts(
    loaded: Loaded, options: argparse.Namespace, prompts: Ids, references: Ids
) -> list[Any]:
    return _pairs(builtin.greedy(loaded.context, prompts, references))


def _texts_one_by_one(
    loaded: Loaded, options: argparse.Namespace, prompts: Ids, references: Ids
) -> list[Any]:
    """`generate` for each row, and a second forward pass over prompt and reference."""
    return _pairs(reference.greedy(loaded.context, prompts, references))


@torch.inference_mode()
def _texts_batched(
    loaded: Loaded, options: argparse.Namespace, prompts: Ids, references: Ids
) -> list[Any]:
    """The same for padded batches of rows in their own order."""
    answers: list[Any] = []
    for start in range(0, len(prompts), options.batch):
        chosen = slice(start, start + options.batch)
        ids, mask = (
            each.to(loaded.model.device) for each in pad_left(prompts[chosen], loaded.pad_id)
        )
        out = loaded.model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=loaded.context.max_new_tokens
        )
        generated = [loaded.context.to_generated(row) for row in out[:, ids.shape[1] :].tolist()]
        nlls = _nlls(loaded, prompts[chosen], references[chosen])
        answers += [[each.text, nll] for each, nll in zip(generated, nlls, strict=True)]
    return answers


def _texts_by_vllm(
    loaded: Loaded, options: argparse.Namespace, prompts: Ids, references: Ids
) -> list[Any]:
    """vLLM's texts; log-likelihoods are computed by our own code, as where `run.engine` is vllm."""
    engine = vllm_engine.of(options.vllm, *_model(options), loaded.adapter)
    return _pairs(engine.greedy(loaded.context, prompts, references))


def _nlls(loaded: Loaded, prompts: Ids, references: Ids) -> list[float]:
    """-log p(reference | prompt) of each row in nats, from a pass over all, padded on the right."""
    rows = [prompt + each for prompt, each in zip(prompts, references, strict=True)]
    width, device = max(map(len, rows)), loaded.model.device
    ids = torch.tensor([row + [loaded.pad_id] * (width - len(row)) for row in rows], device=device)
    mask = torch.tensor([[1] * len(r) + [0] * (width - len(r)) for r in rows], device=device)
    logits = loaded.model(input_ids=ids, attention_mask=mask).logits
    nlls = []
    for row, (prompt, each) in enumerate(zip(prompts, references, strict=True)):
        scored = slice(len(prompt) - 1, len(prompt) + len(each) - 1)
        target = torch.tensor(each, device=device)
        loss = functional.cross_entropy(logits[row, scored].float(), target, reduction="sum")
        nlls.append(loss.item())
    return nlls


def _our_distributions(
    loaded: Loaded, options: argparse.Namespace, prompts: Ids, references: Ids
) -> list[Any]:
    found = builtin.distributions(
        loaded.model, prompts, loaded.tree, loaded.task.eval.prune_below, loaded.limits,
        loaded.pad_id, "bench",
    )  # fmt: skip
    return [each.probabilities.tolist() for each in found]


def _distributions_one_by_one(
    loaded: Loaded, options: argparse.Namespace, prompts: Ids, references: Ids
) -> list[Any]:
    return [row for prompt in prompts for row in _search(loaded, [prompt], options.pairs)]


def _distributions_batched(
    loaded: Loaded, options: argparse.Namespace, prompts: Ids, references: Ids
) -> list[Any]:
    starts = range(0, len(prompts), options.batch)
    batches = [prompts[start : start + options.batch] for start in starts]
    return [row for batch in batches for row in _search(loaded, batch, options.pairs)]


@torch.inference_mode()
def _search(loaded: Loaded, prompts: Ids, at_once: int) -> list[Any]:
    """The probabilities of all prices after each prompt, by transformers' own KV cache.

    The prompts are prefilled together. Then the beginnings of prices are searched level by level,
    each pair of a row and a beginning from a copy of its prompt's cache, `at_once` pairs in a pass.
    """
    tree = loaded.tree
    ids, mask = (each.to(loaded.model.device) for each in pad_left(prompts, loaded.pad_id))
    prefilled = loaded.model(
        input_ids=ids, attention_mask=mask, position_ids=position_ids(mask), use_cache=True,
        logits_to_keep=1,
    )  # fmt: skip
    masses = np.zeros((len(prompts), len(tree.lengths)))
    level = [(row, tree.root, 1.0) for row in range(len(prompts))]
    first = _probabilities(prefilled.logits[:, -1], tree)
    while level:
        deeper: list[tuple[int, Node, float]] = []
        for start in range(0, len(level), at_once):
            pairs = level[start : start + at_once]
            if pairs[0][1].path:
                following = _after_paths(loaded, prefilled.past_key_values, mask, pairs)
            else:
                following = first[start : start + at_once]
            for (row, node, probability), conditional in zip(pairs, following, strict=True):
                below = probability * conditional[node.columns]
                masses[row, node.leaf_choices] = below[node.leaves]
                if node.choice is not None:
                    masses[row, node.choice] = max(0.0, probability - below.sum())
                reached = zip(node.children, below[node.inner].tolist(), strict=True)
                least = loaded.task.eval.prune_below
                deeper += [(row, child, mass) for child, mass in reached if mass >= least]
        level = deeper
    return (masses / masses.sum(axis=1, keepdims=True)).tolist()


def _after_paths(
    loaded: Loaded, cache: Any, mask: torch.Tensor, pairs: Sequence[tuple[int, Node, float]]
) -> np.ndarray:
    """The probability (pairs, alphabet) of each token after a row's prompt and a node's path."""
    rows = torch.tensor([row for row, _, _ in pairs], device=mask.device)
    paths = torch.tensor([node.path for _, node, _ in pairs], device=mask.device)
    copied = copy.deepcopy(cache)
    copied.batch_select_indices(rows)
    attends = torch.cat([mask[rows], torch.ones_like(paths)], dim=1)
    out = loaded.model(
        input_ids=paths, attention_mask=attends, past_key_values=copied, use_cache=True,
        position_ids=position_ids(attends)[:, -paths.shape[1] :], logits_to_keep=1,
    )  # fmt: skip
    return _probabilities(out.logits[:, -1], loaded.tree)


def _probabilities(logits: torch.Tensor, tree: Tree) -> np.ndarray:
    return logits.float().softmax(-1)[:, tree.alphabet].cpu().double().numpy()


def _digits(
    loaded: Loaded, options: argparse.Namespace, prompts: Ids, references: Ids
) -> list[Any]:
    """The greedy answer of each row: one price, without its probability."""
    return _pairs(reference.greedy(loaded.context, prompts))


MERGED = ("ours", "one-by-one-merged", "vllm")
TEXTS = {
    "ours": _our_texts,
    "one-by-one": _texts_one_by_one,
    "one-by-one-merged": _texts_one_by_one,
    "batched": _texts_batched,
    "vllm": _texts_by_vllm,
}
DISTRIBUTIONS = {
    "ours": _our_distributions,
    "one-by-one": _distributions_one_by_one,
    "one-by-one-merged": _distributions_one_by_one,
    "batched": _distributions_batched,
    "digits": _digits,
}
