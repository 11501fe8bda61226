"""The text of a task's config, `conf/task/NAME.yaml`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import yaml

from finetune.core.errors import DataError
from finetune.scaffold.guessing import Guess
from finetune.scaffold.layout import Layout
from finetune.tasks.kinds import kind

# A token of a model has more characters in English; less of a text is cut when there is room.
CHARACTERS_PER_TOKEN = 3
TEMPLATE = Path(__file__).with_name("task.yaml.j2")


def text(
    name: str,
    layout: Layout,
    guess: Guess,
    fields_by_split: Mapping[str, Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    others: Sequence[str],
) -> str:
    """The config of a task; its lengths are those of clean `rows`.

    `others` are the tasks that the command in its header leaves out.

    Raises:
        DataError: a file or column has a name that a config cannot hold.
    """
    for said in (layout.splits, guess.fields, fields_by_split):
        # Hydra would take it for a reference to another key.
        if "${" in repr(said):
            raise DataError(f"init: a file or column name holds '${{' ({said}); rename it")
    what = kind(guess.kind)
    bodies = [len(what.body(row)) for row in rows]
    targets = [what.target(row) for row in rows]
    words = float(np.mean([len(target.split()) for target in targets]))
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined, autoescape=False,
    )  # fmt: skip
    environment.filters["yaml"] = _flow
    longest = int(np.percentile(bodies, 95))
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        title=f"{'Prices' if guess.kind == 'price' else 'Summaries'} of {name}",
        name=name,
        others=others,
        files=" and ".join(layout.splits.values()),
        kind=guess.kind,
        splits=layout.splits,
        fields=guess.fields,
        fields_by_split=fields_by_split,
        delimiter=layout.delimiter,
        noun=_noun(guess.fields),
        length="one sentence" if words <= 12 else "one or two sentences" if words <= 40
        else "a few sentences",
        max_tokens=_tokens(longest, step=64, least=128, most=2048),
        max_completion_tokens=_tokens(
            int(np.percentile([len(target) for target in targets], 95)), 16, 32, 512
        ),
        characters=longest,
        words=round(words),
    )  # fmt: skip


def _noun(fields: Mapping[str, Any]) -> str:
    name = str(fields.get("dialogue", "")).casefold()
    return (
        "dialogue" if any(said in name for said in ("dialog", "conversation", "chat")) else "text"
    )


def _tokens(characters: int, step: int, least: int, most: int) -> int:
    """Room for a text of so many characters, in whole steps of tokens."""
    wanted = math.ceil(characters / CHARACTERS_PER_TOKEN / step) * step
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
