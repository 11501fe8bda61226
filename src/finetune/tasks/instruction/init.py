"""How `finetune init` sets up a task of instructions: by the names of its columns alone."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from finetune.columns.candidates import Candidates, Evidence, ranked, usable
from finetune.columns.description import Column, Columns
from finetune.columns.kind_init import Fields, KindInit, Role
from finetune.tasks.instruction.rows import Row

# Names of columns. A text that is an answer to a question looks like any other text.
INSTRUCTION = ("instruction", "question", "prompt", "query")
RESPONSE = ("response", "answer", "completion", "output", "reply")
CONTEXT = ("context", "input", "passage")


def responses(columns: Columns, taken: Collection[str]) -> Candidates:
    """Texts that are called like a response, where another one is called like an instruction."""
    texts = _texts(columns, taken)
    asked = [c for c in columns.values() if c.path in taken or c.name.casefold() in INSTRUCTION]
    named = [c for c in texts if c.name.casefold() in RESPONSE]
    if not asked or not named:
        return Candidates([], Evidence.NO_CANDIDATES)
    return ranked(named, RESPONSE)


def instructions(columns: Columns, taken: Collection[str]) -> Candidates:
    """Texts, those that are called like an instruction first."""
    return ranked(_texts(columns, taken), INSTRUCTION)


def optional_fields(columns: Columns, taken: Collection[str]) -> Fields:
    """The columns that are called like a context, and those called like our other fields."""
    free = {c.name.casefold(): c.path for c in columns.values() if c.path not in taken}
    context = next((free[name] for name in CONTEXT if name in free), None)
    found: Fields = {"context": context} if context else {}
    return found | {name: free[name] for name in ("facts", "section") if name in free}


def values(fields: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """Whether there are contexts, and how long an answer is asked for."""
    words = fmean(len(row.response.split()) for row in rows)
    return {"with_context": any(row.context for row in rows), "is_brief": words <= 40}


def _texts(columns: Columns, taken: Collection[str]) -> list[Column]:
    return [column for column in usable(columns, taken) if column.type == "text"]


INIT = KindInit(
    title="Responses to instructions",
    template=Path(__file__).with_name("init.yaml.j2"),
    input=Role("instruction", "texts that ask something", instructions),
    target=Role("response", "texts called `response` or `answer`", responses),
    target_types=frozenset(),
    optional_fields=optional_fields,
    values=values,
)
