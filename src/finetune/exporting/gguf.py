"""gguf: the merged model as one file for llama.cpp, made by its own converter, scored by it.

A file is written only where llama.cpp tokenizes all prompts and completions of the task as the
model's own tokenizer does: another split of the same text is what makes a GGUF file answer worse.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from transformers import PreTrainedModel

from finetune.core import paths
from finetune.core.errors import UserError, squeezed
from finetune.core.files import read_jsonl
from finetune.core.schema import TextEval
from finetune.exporting import folders, merging
from finetune.exporting.llama_model import LlamaModel, tokenizes_alike
from finetune.exporting.source import Loaded, Shell, Source, refuse_unless_mergeable
from finetune.inference.engines import reference
from finetune.inference.engines.registry import Engine
from finetune.modeling.base import Base
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks import registry

NAME = "gguf"
FILE = "model.gguf"
SCRIPT = Path(__file__).with_name("gguf_script.py")
CONVERTER = "convert_hf_to_gguf.py"
REQUIREMENTS = "requirements-gguf.txt"
TYPES = ("f16", "bf16", "f32", "q8_0")
UNKNOWN = "pre-tokenizer was not recognized"
# llama.cpp's names of pre-tokenizers, for a tokenizer that its converter does not know; which one
# fits, if any, is measured on the task's texts.
PRE_TOKENIZERS = ("llama-bpe", "qwen2", "gpt-2", "smollm", "default")
# Positions beyond a prompt and its completion: what follows the longest price is looked at, too.
MORE_POSITIONS = 16

Pair = tuple[str, list[int]]


def check(source: Source) -> None:
    """See `forms.Form.check`."""
    refuse_unless_mergeable(source, NAME)
    missing = [
        package
        for package in ("llama_cpp", "sentencepiece")
        if importlib.util.find_spec(package) is None
    ]
    if missing:
        raise UserError(
            f"--form {NAME}: needs {' and '.join(missing)}: pip install -r {REQUIREMENTS} "
            "(builds llama.cpp, which takes a compiler and minutes)"
        )
    if not (source.llama_cpp / CONVERTER).is_file():
        raise UserError(
            f"--form {NAME}: no llama.cpp in {source.llama_cpp} ({CONVERTER}); `make llama-cpp` "
            "puts it there, --llama-cpp DIR names another folder"
        )
    eval_options = source.settings.tasks[source.task].eval
    if isinstance(eval_options, TextEval) and eval_options.decode != "greedy":
        raise UserError(
            f"--form {NAME}: is scored by greedy answers, not by eval.decode={eval_options.decode}"
        )


def label(source: Source) -> str:
    """See `forms.Form.label`."""
    return source.label(f"{NAME}_{source.gguf_type}")


def write(source: Source, folder: Path) -> None:
    """See `forms.Form.write`."""
    base = merging.merged(source, source.into)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        model = Path(temporary)
        folders.save(base.model, base.tokenizer, model)
        pre = _pre_tokenizer(source, base, model)
        _convert(source, model, folder / FILE, pre)


def _pre_tokenizer(source: Source, base: Base, model: Path) -> str:
    """The name under which llama.cpp tokenizes the task's texts as the model's tokenizer does.

    Raises:
        UserError: the converter fails, or no name does.
    """
    texts = list(_texts(source, base))
    with tempfile.TemporaryDirectory() as temporary:
        vocabulary = Path(temporary) / "vocabulary.gguf"
        shares = {}
        for pre in ("auto", *PRE_TOKENIZERS):
            try:
                _convert(source, model, vocabulary, pre, "--vocab-only")
            except UserError as error:
                if UNKNOWN not in str(error):
                    raise
                continue
            alike = tokenizes_alike(vocabulary, texts)
            if alike == len(texts):
                return pre
            shares[pre] = alike
            if pre == "auto":
                break  # the converter knows this tokenizer: another name would be a guess
    best = max(shares, key=lambda pre: shares[pre])
    raise UserError(
        f"--form {NAME}: llama.cpp tokenizes {len(texts) - shares[best]} of {len(texts)} texts of "
        f"the task otherwise than the model's tokenizer (pre-tokenizer {best}); no file was written"
    )


def _texts(source: Source, base: Base) -> Iterator[Pair]:
    """The prompts and completions of validation and test rows, each with its ids."""
    options = source.settings.tasks[source.task]
    encoder = PromptEncoder(base.tokenizer, options.prompt, base.context)
    row_type = registry.rows(options.kind).Row
    for split in ("validation", "test"):
        for each in read_jsonl(paths.prepared(source.task) / f"{split}.jsonl"):
            row = row_type(**each).for_prompt(options.prompt)
            text = encoder.text(row.input)
            yield text, _ids(base, text)
            yield row.completion, _ids(base, row.completion)


def _ids(base: Base, text: str) -> list[int]:
    # Special tokens that a text spells out are such; none are added.
    ids: list[int] = base.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def _convert(source: Source, model: Path, out: Path, pre: str, *more: str) -> None:
    """Run the converter.

    Raises:
        UserError: it failed; the message ends with the last line that it printed.
    """
    command: Sequence[str] = [
        sys.executable, str(SCRIPT), str(source.llama_cpp.resolve()), str(model), str(out),
        source.gguf_type, pre, "--model-name", source.task, *more,
    ]  # fmt: skip
    # Its packages are not ours, and ours must not be found in place of its own.
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if ended.returncode or not out.is_file():
        lines = (ended.stderr.strip() or ended.stdout.strip() or "nothing printed").splitlines()
        raise UserError(f"--form {NAME}: llama.cpp's converter failed: {squeezed(lines[-1])}")


def load(source: Source, folder: Path, shell: Shell) -> Loaded:
    """See `forms.Form.load`: llama.cpp computes, and is asked as the engine `transformers` asks."""
    prompt = source.settings.tasks[source.task].prompt
    longest = prompt.max_tokens + prompt.max_completion_tokens
    model = LlamaModel(
        folder / FILE,
        config=merging.published_config(source.settings.model),
        positions=min(shell.context, longest + MORE_POSITIONS),
    )
    return Loaded(shell.around(cast(PreTrainedModel, model)), cast(Engine, reference))
