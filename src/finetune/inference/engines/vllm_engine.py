"""vLLM: greedy answers from a process of an environment of its own, whose pins clash with ours.

It is given the ids of our prompts, the base's folder and PEFT's adapter, and gives ids back. What
it is not asked for, likelihoods of references and of general text, our own engine computes. Not run
with a real vLLM: tests hold this side of it against a stand-in.
"""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch
from transformers import PreTrainedModel

from finetune.core.errors import ModelError, ParamsError, UserError, squeezed
from finetune.core.files import read_json, write_json
from finetune.core.schema import INDEPENDENT_INITS, Model, Precision, TextEval
from finetune.inference.engines import builtin
from finetune.inference.generate import (
    Generated,
    GenerationContext,
    References,
    with_likelihoods,
)
from finetune.modeling.batches import in_batches
from finetune.modeling.precision import compute_dtype

SCRIPT = Path(__file__).with_name("vllm_script.py")
REQUIREMENTS = "requirements-vllm.txt"
ADAPTER = "adapter_config.json"
# Ranks that vLLM reserves memory for: the adapter's is rounded up to one of them.
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
# Of the GPU's free memory, beside the model that this process holds for likelihoods.
MEMORY_FRACTION = 0.9


@dataclass(frozen=True)
class Vllm:
    """The engine for one model: `request` is what the process is told of it."""

    python: str
    request: dict[str, Any]

    def prepared(self, model: PreTrainedModel) -> contextlib.AbstractContextManager[None]:
        """The model for what our own engine computes."""
        return builtin.prepared(model)

    def generate(
        self,
        context: GenerationContext,
        prompts: Sequence[list[int]],
        references: References,
        options: TextEval,
    ) -> list[Generated]:
        """One greedy answer to each prompt."""
        if options.decode != "greedy":
            _refuse(f"eval.decode={options.decode}")
        return self.greedy(context, prompts, references)

    def greedy(
        self,
        context: GenerationContext,
        prompts: Sequence[list[int]],
        references: References = None,
    ) -> list[Generated]:
        """Greedy decoding of all prompts in one process."""

        def process(indices: list[int]) -> list[Generated]:
            return self._answers(context, [prompts[i] for i in indices])

        lengths = [len(prompt) for prompt in prompts]
        answers = in_batches(lengths, lambda _: len(prompts), context.desc, process)
        return with_likelihoods(context, prompts, answers, references)

    def sample(self, *_: object, **__: object) -> NoReturn:
        """Not what it is asked for: its random numbers are not ours."""
        _refuse("sampled answers")

    def distributions(self, *_: object, **__: object) -> NoReturn:
        """Not what it is asked for: it scores at most 128 given tokens a request, no tree."""
        _refuse("distributions over prices or labels")

    def last_outputs(self, *_: object, **__: object) -> NoReturn:
        """Not what it is asked for: it writes texts."""
        _refuse("the outputs of a head that writes no text")

    likelihoods = staticmethod(builtin.likelihoods)

    def _answers(self, context: GenerationContext, prompts: list[list[int]]) -> list[Generated]:
        request = {
            **self.request,
            "prompts": prompts,
            "max_new_tokens": context.max_new_tokens,
            "max_model_len": max(map(len, prompts)) + context.max_new_tokens,
            "end_tokens": sorted(context.end_tokens),
            "memory_fraction": _memory_fraction(context.model),
        }
        outputs = _run(self.python, request)
        if len(outputs) != len(prompts):
            raise UserError(f"vLLM gave {len(outputs)} answers to {len(prompts)} prompts")
        return [context.to_generated(_with_end(each, request["end_tokens"])) for each in outputs]


def of(python: str | None, model: Model, how: Precision, tuned: Path | None) -> Vllm:
    """The engine for a base model, or for what was tuned into the folder `tuned`.

    Raises:
        ParamsError: there is no such Python, or the base is quantized.
        ModelError: what was tuned is no LoRA adapter and no whole model.
    """
    if python is None or shutil.which(python) is None:
        said = "is null" if python is None else f"{python} is not there, or cannot be run"
        raise ParamsError(
            f"run.vllm_python: {said}; with run.engine=vllm it is the Python of an environment "
            f"of its own, made with `pip install -r {REQUIREMENTS}`"
        )
    if how.is_quantized:
        raise ParamsError(
            f"run.engine: vllm would not hold a base of method.quantization={how.quantization} as "
            "we do; train and predict with -S method=lora, or take another engine"
        )
    request: dict[str, Any] = {
        "model": model.name,
        "revision": model.revision if model.source == "hub" else None,
        "dtype": str(compute_dtype(how)).removeprefix("torch."),
        "adapter": None,
        "max_lora_rank": None,
    }
    if tuned is None:
        return Vllm(python, request)
    if not (tuned / ADAPTER).is_file():
        return Vllm(python, {**request, "model": str(tuned.resolve()), "revision": None})
    config = read_json(tuned / ADAPTER)
    rank = config.get("r", 0)
    fitting = [each for each in RANKS if each >= rank]
    is_plain = (
        config.get("peft_type") == "LORA"
        and not config.get("use_dora")
        and config.get("init_lora_weights") in (True, *INDEPENDENT_INITS)
        and config.get("bias", "none") == "none"
        and not config.get("modules_to_save")
    )
    if not (is_plain and fitting):
        raise ModelError(
            f"{tuned}: run.engine=vllm takes plain LoRA adapters of rank {RANKS[-1]} at most: no "
            "DoRA, trained biases or heads, nor a start that changes the base (lora.init); use "
            "another engine"
        )
    adapter = {"adapter": str(tuned.resolve()), "max_lora_rank": fitting[0]}
    return Vllm(python, {**request, **adapter})


def _refuse(what: str) -> NoReturn:
    raise ParamsError(
        f"run.engine: vllm answers greedily with texts, and is asked for {what}; use "
        "run.engine=builtin or run.engine=transformers"
    )


def _memory_fraction(model: PreTrainedModel) -> float | None:
    """What vLLM may take of the whole GPU; None where there is none."""
    if model.device.type != "cuda":
        return None
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info()
    return round(MEMORY_FRACTION * free / total, 3)


def _with_end(output: dict[str, Any], end_tokens: Sequence[int]) -> list[int]:
    """The ids of an answer with the end token that it stopped at, which may not be among them."""
    ids: list[int] = output["ids"]
    is_whole = not output["stopped"] or not set(end_tokens).isdisjoint(ids)
    return ids if is_whole else [*ids, end_tokens[0]]


def _run(python: str, request: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers that a process of that Python writes.

    Isolated (-I): our PYTHONPATH must not lead it to our packages.

    Raises:
        UserError: it failed; the message ends with the last line that it printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "request.json", Path(folder) / "answers.json"
        write_json(asked, request)
        command = [python, "-I", str(SCRIPT), str(asked), str(answered)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode or not answered.is_file():
            lines = (ended.stderr.strip() or ended.stdout.strip() or "nothing printed").splitlines()
            raise UserError(
                f"run.vllm_python: {python} ended with exit code {ended.returncode}: "
                f"{squeezed(lines[-1])}"
            )
        return read_json(answered)["answers"]
