"""Adapters that tasks share: trained on rows of several, or taken from another task."""

import shutil
from collections.abc import Sequence

import numpy as np

from finetune.core import mixing, paths
from finetune.core.files import read_json, replaced_folder, write_json
from finetune.training.examples import Example, Examples


def together(parts: Sequence[Examples], weights: Sequence[float], seed: int) -> Examples:
    """Examples of several tasks, so many of each as the weights say; those of the first come first.

    What was truncated or has no target is counted in all of them, whether they were drawn or not.
    """
    of = np.repeat(np.arange(len(parts)), [len(part.examples) for part in parts])
    kept = mixing.drawn(of, dict(enumerate(weights)), seed)
    examples: list[Example] = [each for part in parts for each in part.examples]
    return Examples(
        [examples[i] for i in np.flatnonzero(kept)],
        prompts_truncated=sum(part.prompts_truncated for part in parts),
        completions_truncated=sum(part.completions_truncated for part in parts),
        unlearned=sum(part.unlearned for part in parts),
    )


def take(task: str, other: str) -> None:
    """Make another task's adapter, with its curves and its `train.json`, that of a task.

    But for `run`: the time was the other's.
    """
    for folder in (paths.adapter, paths.curves, paths.hardware_curves):
        with replaced_folder(folder(task)) as new:
            shutil.copytree(folder(other), new, dirs_exist_ok=True)
    metrics = read_json(paths.metrics(other, "train"))[other]["train"]
    taken = {"adapter_of": other, **metrics, "run": {"minutes": 0.0}}
    write_json(paths.metrics(task, "train"), {task: {"train": taken}})
