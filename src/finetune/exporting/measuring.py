"""A form's answers to the rows of a task, scored, with its size, load time and speed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.core.rows import TaskRow
from finetune.exporting.source import Loaded, Shell, Source
from finetune.forms import entries
from finetune.inference import budgets
from finetune.inference.predict import EvalSpec, predict
from finetune.modeling.prompts import PromptEncoder
from finetune.scoring.metrics import Prediction
from finetune.tasks import registry

MB = 10**6


@dataclass(frozen=True)
class Rows:
    """The test rows that all forms answer, and those of train, for constants that stand in."""

    test: Sequence[TaskRow]
    train: Sequence[TaskRow]


@dataclass(frozen=True)
class Measured:
    """A form's scored predictions, and what it costs.

    num_tokens: of prompts and answers, over all rows; seconds: of answering them, in the batches of
    `predict`, the likelihoods of the references included.
    """

    name: str
    predictions: list[Prediction]
    size_bytes: int
    load_seconds: float
    num_tokens: int
    seconds: float

    def run(self) -> dict[str, Any]:
        """What depends on the machine, as the metric files have it under `run`."""
        return {
            "size_mb": round(self.size_bytes / MB, 3),
            "load_seconds": round(self.load_seconds, 2),
            "tokens_per_second": round(self.num_tokens / self.seconds, 1),
            "requests_per_second": round(len(self.predictions) / self.seconds, 1),
        }


def rows(root: Path, source: Source, count: int | None) -> Rows:
    """The first `count` test rows of a task, or all."""
    train, test = entries.rows(root, source.settings, source.task)
    return Rows(test[:count], train)


def measure(
    name: str, source: Source, folder: Path, load: Callable[[], Loaded], given: Rows
) -> tuple[Measured, Shell]:
    """Load a form and let it answer the rows; it is of no more use afterwards."""
    options = source.settings.tasks[source.task]
    started = time.monotonic()
    loaded = load()
    loaded_after = time.monotonic() - started
    base = loaded.base
    spec = EvalSpec(
        options.prompt, options.eval, registry.predict(options.kind).answers, loaded.engine
    )
    limits = budgets.resolve(source.settings.run, base.model)
    started = time.monotonic()
    what = f"{source.task} by {name}"
    predictions = predict(base, base.model, spec, given.test, given.train, what, limits)
    seconds = time.monotonic() - started
    scored = entries.scored(source.settings, source.task, given.test, predictions)
    shell = Shell.of(base)
    tokens = _num_tokens(source, shell, given.test, predictions)
    return Measured(name, scored, size(folder), loaded_after, tokens, seconds), shell


def _num_tokens(
    source: Source, shell: Shell, test: Sequence[TaskRow], predictions: Sequence[Prediction]
) -> int:
    """The tokens of prompts and of answers that are texts."""
    prompt = source.settings.tasks[source.task].prompt
    encoder = PromptEncoder(shell.tokenizer, prompt, shell.context)
    asked = sum(len(encoder.encode(row.for_prompt(prompt).input).ids) for row in test)
    texts = [row["prediction"] for row in predictions if isinstance(row["prediction"], str)]
    return asked + sum(len(encoder.encode_completion(text).ids) for text in texts)


def size(folder: Path) -> int:
    """The bytes of the files in a folder, without what is in folders below."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
