"""The text of a task's config, `conf/task/NAME.yaml`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import yaml

from finetune.core.errors import DataError
from finetune.core.rows import TaskRow
from finetune.core.schema import COMPOSED, Train
from finetune.planning.lengths import RowLength
from finetune.scaffold.guessing import Guess
from finetune.scaffold.layout import Layout
from finetune.tasks import registry

# Tokens of an instruction and a chat's template, beside those of a row's text.
AROUND = 64
# Of the rows so many percent are not truncated.
WHOLE = 99
# Of `train`: composed, or of several tasks, of which a new one knows nothing.
LEFT_OUT = (*COMPOSED, "mix", "adapter_of")
# The folder of the template that those of kinds extend.
FOLDER = Path(__file__).parent


def text(
    name: str,
    layout: Layout,
    guess: Guess,
    fields_by_split: Mapping[str, Mapping[str, Any]],
    rows: Sequence[TaskRow],
    lengths: Sequence[RowLength],
    others: Sequence[str],
) -> str:
    """The config of a task; its token limits follow from the `lengths` of the clean `rows`.

    Lengths are without an instruction. `others` are the tasks that the command in its header
    removes.

    Raises:
        DataError: the name of a file or column cannot be written to a config.
    """
    for names in (layout.splits, guess.fields, fields_by_split):
        # Hydra would interpolate it.
        if "${" in repr(names):
            raise DataError(f"init: a file or column name holds '${{' ({names}); rename it")
    init = registry.init(guess.kind).INIT
    characters = _long([row.input for row in rows])
    return _environment(init.template.parent).get_template(init.template.name).render(
        init.values(guess.fields, rows),
        title=init.title,
        name=name,
        others=others,
        files=" and ".join(layout.splits.values()),
        kind=guess.kind,
        splits=layout.splits,
        fields=guess.fields,
        fields_by_split=fields_by_split,
        delimiter=layout.delimiter,
        train_parameters=[name for name in Train.model_fields if name not in LEFT_OUT],
        max_tokens=_limit([each.prompt + AROUND for each in lengths], 64, 128, 2048),
        max_completion_tokens=_limit([each.completion for each in lengths], 16, 32, 512),
        characters=characters,
        words=round(np.mean([len(row.completion.split()) for row in rows])),
    )  # fmt: skip


def _environment(folder: Path) -> jinja2.Environment:
    """Finds templates of a kind's folder, and the one that they extend."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, FOLDER]),
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined, autoescape=False,
    )  # fmt: skip
    environment.filters["yaml"] = _flow
    return environment


def _long(texts: Sequence[str]) -> int:
    """The number of characters that 95 % of the texts do not exceed."""
    return int(np.percentile([len(text) for text in texts], 95))


def _limit(tokens: Sequence[int], step: int, least: int, most: int) -> int:
    """The limit that nearly all counts keep, rounded up to a multiple of `step`, within bounds."""
    wanted = math.ceil(np.percentile(tokens, WHOLE) / step) * step
    return min(most, max(least, wanted))


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    plain = (
        {k: dict(v) if isinstance(v, Mapping) else v for k, v in value.items()}
        if isinstance(value, Mapping)
        else value
    )
    dumped = yaml.safe_dump(
        plain, default_flow_style=True, allow_unicode=True, sort_keys=False, width=math.inf
    )
    return dumped.removesuffix("\n").removesuffix("\n...")
