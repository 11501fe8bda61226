"""Lengths of a run's rows in tokens: counted, or estimated without tokenizer or data."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from finetune.core import mixing, paths
from finetune.core.files import read_json, read_jsonl
from finetune.core.rows import TaskRow
from finetune.core.schema import Hub, Model, Params, Prompt, Task
from finetune.data import preparation, sources, splitting
from finetune.data.augmentation import Augmented
from finetune.data.preparation import Rules, Source
from finetune.modeling.prompts import Encoded, PromptEncoder
from finetune.tasks import registry
from finetune.training.examples import IGNORE_INDEX, Example, encode, num_target_tokens
from finetune.training.losses import CROSS_ENTROPY, Loss

# Estimates without a tokenizer: characters of English per token, tokens of a chat template.
CHARACTERS, TEMPLATE = 4, 30
# Estimates without data: those of SAMSum as counted by a public course on 1B models.
ROWS, TOKENS, LEARNED = 10_000, 200, 0.4
# Rows of a file whose tokens are counted; of more, so many that lie evenly in it.
COUNTED_ROWS = 5_000


@dataclass(frozen=True)
class RowLength:
    """The tokens of a row's prompt, and of its completion, which are learned."""

    prompt: int
    completion: int

    def learned_rate(self, branches: int = 0) -> float:
        """The fraction of its tokens whose logits are computed; branches are tokens besides."""
        learned = self.completion + branches
        return learned / (self.prompt + learned)


@dataclass(frozen=True)
class Lengths:
    """Training rows, their tokens (total and longest), the row with most learned ones for its size.

    Tokens count those that the `loss` tries after each prompt (`losses.Branches`). `remark` names
    what is estimated or assumed; empty if everything was counted.
    """

    rows: int
    tokens: int
    longest: int
    densest: RowLength
    remark: str
    loss: Loss = CROSS_ENTROPY

    @property
    def branches(self) -> int:
        """The tokens that the loss tries after each prompt."""
        return len(self.loss.paths)

    @property
    def learned_rate(self) -> float:
        """The maximal fraction of a row's tokens whose logits are computed."""
        return self.densest.learned_rate(self.branches)

    @property
    def example(self) -> Example:
        """A row as long as the densest one."""
        prompt, completion = self.densest.prompt, self.densest.completion
        return {
            "input_ids": [1] * (prompt + completion),
            "labels": [IGNORE_INDEX] * prompt + [1] * completion,
        }


def of(params: Params, task: str) -> Lengths:
    """The lengths of a task's training rows; the longest is over validation rows too.

    With those of the tasks that it is trained on, too (`train.mix`).

    Raises:
        UserError: the data exist, but cannot be used; or the loss does not fit the tokenizer.
    """
    options, tokenizer = params.tasks[task], _tokenizer(params.model)
    weights = {task: 1.0, **options.train.mix}
    parts = [_of_task(params, name, tokenizer) for name in weights]
    drawn = mixing.sizes([part.rows for part in parts], list(weights.values()))
    loss = _loss(params, task, _encoder(options.prompt, tokenizer))
    branches = len(loss.paths)
    remarks = [part.remark for part in parts if part.remark]
    if branches and tokenizer is None:
        remarks.append(f"{branches} branches a row, as if each character were a token")
    every = [row for part in parts for row in (*part.train, *part.further)]
    return Lengths(
        rows=sum(drawn),
        tokens=sum(
            sum(row.prompt + row.completion + branches for row in part.train)
            * rows // len(part.train)
            for part, rows in zip(parts, drawn, strict=True)
        ),
        longest=max(*(part.bound for part in parts), *(r.prompt + r.completion for r in every))
        + branches,
        densest=max(every, key=lambda row: row.learned_rate(branches)),
        remark="; ".join(dict.fromkeys(remarks)),
        loss=loss,
    )  # fmt: skip


@dataclass(frozen=True)
class TaskLengths:
    """So many train rows of a task, and the lengths of all of them or of a sample.

    further: of other rows that may be longer. bound: what a row may have, where a sample is all
    that was counted; else 0.
    """

    rows: int
    train: list[RowLength]
    further: list[RowLength]
    bound: int
    remark: str


def _encoder(prompt: Prompt, tokenizer: PreTrainedTokenizerBase | None) -> PromptEncoder:
    if tokenizer is None:
        return cast(PromptEncoder, Characters(prompt))
    return PromptEncoder(tokenizer, prompt, 1_000_000)


def _of_task(params: Params, task: str, tokenizer: PreTrainedTokenizerBase | None) -> TaskLengths:
    prompt, rows = params.tasks[task].prompt, _rows(params, task)
    bound, count = 0, None
    if rows is None:
        train, further, remark = _assumed(params, prompt)
    elif tokenizer is None:
        train, further, remark = _estimated(rows, params.tasks[task], params.model)
    else:
        encoder = _encoder(prompt, tokenizer)
        train, further = (_counted(rows[split], encoder) for split in ("train", "validation"))
        count, remark = len(rows["train"]), ""
        if len(train) < count:
            bound = encoder.max_prompt_tokens + prompt.max_completion_tokens
            remark = f"tokens were counted of {len(train):,} of the {count:,} rows"
    if params.method.answers_numbers:  # in place of the completion there is one number
        train, further = ([RowLength(r.prompt, 1) for r in split] for split in (train, further))
    return TaskLengths(len(train) if count is None else count, train, further, bound, remark)


def of_rows(
    rows: Sequence[TaskRow], prompt: Prompt | None, model: Model
) -> tuple[list[RowLength], str]:
    """The tokens of rows under a prompt, nothing truncated, and how they were counted.

    Without a prompt they are those of the rows' texts alone. Of many rows some are counted.
    """
    step = -(-len(rows) // COUNTED_ROWS)
    counted = [row.for_prompt(prompt) if prompt else row for row in rows[::step]]
    tokenizer = _tokenizer(model)
    if tokenizer is None:
        fixed = (
            TEMPLATE + (len(prompt.instruction) + len(prompt.cue)) // CHARACTERS if prompt else 0
        )
        lengths = [
            RowLength(fixed + len(r.input) // CHARACTERS, 1 + len(r.completion) // CHARACTERS)
            for r in counted
        ]
        how = f"estimated, {CHARACTERS} characters a token"
    elif prompt is not None:
        unbounded = prompt.model_copy(update={"max_tokens": 10**6, "max_completion_tokens": 10**6})
        lengths = _counted(counted, PromptEncoder(tokenizer, unbounded, 10**7))
        how = f"by the tokenizer of {model.name}"
    else:
        inputs = tokenizer([row.input for row in counted], verbose=False)["input_ids"]
        outputs = tokenizer([row.completion for row in counted], verbose=False)["input_ids"]
        lengths = [RowLength(len(i), len(o)) for i, o in zip(inputs, outputs, strict=True)]
        how = f"by the tokenizer of {model.name}, without instruction and template"
    return lengths, how if step == 1 else f"{how}, from {len(counted):,} of {len(rows):,} rows"


def _loss(params: Params, task: str, encoder: PromptEncoder) -> Loss:
    options = params.tasks[task]
    if params.method.answers_numbers or options.train.mix:
        return CROSS_ENTROPY
    return registry.loss(options.kind).loss(encoder, options.train)


@dataclass(frozen=True)
class Characters:
    """Stands in for a tokenizer where a loss asks how answers are written: a character a token."""

    prompt: Prompt

    def encode_completion(self, target: str) -> Encoded:
        """The characters, and an end token."""
        return Encoded([*map(ord, target), 0], truncated=False)


def _counted(rows: Sequence[TaskRow], encoder: PromptEncoder) -> list[RowLength]:
    """The lengths of all rows; of many rows, of a sample."""
    lengths = []
    for example in encode(rows, encoder).probe:
        learned = num_target_tokens(example)
        lengths.append(RowLength(len(example["input_ids"]) - learned, learned))
    return lengths


def _assumed(params: Params, prompt: Prompt) -> tuple[list[RowLength], list[RowLength], str]:
    """Lengths of rows that are not here, of the longest one, and what is assumed."""
    learned = round(LEARNED * TOKENS)
    limit = params.data.limit.train
    remark = f"{TOKENS} tokens a row are assumed: the data set has not been fetched"
    if limit is None:
        remark = f"{ROWS:,} rows and {remark}"
    longest = RowLength(prompt.max_tokens, prompt.max_completion_tokens)
    return [RowLength(TOKENS - learned, learned)] * (limit or ROWS), [longest], remark


def _rows(params: Params, task: str) -> Mapping[str, Sequence[TaskRow]] | None:
    """The rows that `prepare` would write, or has written for this source; None without data."""
    options, data = params.tasks[task], params.data
    if data.source == "hub" or any(part.hub for part in options.source.mix.values()):
        return _prepared(params, task)
    fetched = sources.fetch(
        data.source, data.root, data.embedded, options.source, type(options).fields
    )
    rules = Rules(
        data.max_bad_rate,
        data.near_duplicates,
        data.test_fraction,
        data.validation_fraction,
        data.seed,
        data.mask_pii,
        tuple(data.phone_regions),
    )
    curate = options.source.curate
    names = {split: f"{task}/{split}" for split in fetched.splits}
    # The rows can be read until the last of them is forgotten: their files are mapped into memory.
    with tempfile.TemporaryDirectory() as name:
        files = sources.write(fetched.splits, Path(name))
        source = Source(task, options.kind, options.prompt, files, names, curate)
        splits = preparation.prepare(source, rules, Path(name)).splits
    splitting.choose(splits, options.source, data.limit, data.seed, task)
    preparation.check_rows(task, splits)
    train: Sequence[TaskRow] = splits["train"].rows
    if options.source.augment is not None:
        train = [
            *train,
            *Augmented(train, options.source.augment, type(options).fields.input, data.seed),
        ]
    return {"train": train, "validation": splits["validation"].rows}


def _prepared(params: Params, task: str) -> dict[str, list[TaskRow]] | None:
    """The rows that `prepare` has written, if they come from these data sets."""
    source, files = params.tasks[task].source, paths.prepared(task)
    origin = paths.raw(task) / "source.json"
    if not origin.is_file() or not (files / "train.jsonl").is_file():
        return None
    written = read_json(origin)
    own = source.hub if params.data.source == "hub" else None
    mixed = written.get("mix", {})
    if written.get("source") != params.data.source or not _is_from(written, own):
        return None
    if mixed.keys() != source.mix.keys():
        return None
    for name, part in source.mix.items():
        same = (mixed[name].get("source"), mixed[name].get("weight")) == (part.which, part.weight)
        if not (same and _is_from(mixed[name], part.hub)):
            return None
    row = registry.rows(params.tasks[task].kind).Row
    rows = {
        split: [row(**each) for each in read_jsonl(files / f"{split}.jsonl")]
        for split in ("train", "validation")
    }
    return {split: rows[split][: getattr(params.data.limit, split)] for split in rows}


def _is_from(written: Mapping[str, Any], hub: Hub | None) -> bool:
    """Whether a record is of a data set of the hub, where it should be of one."""
    if hub is None:
        return True
    is_same = written.get("repo") == hub.repo
    return is_same and hub.revision in (None, written.get("revision"))


def _tokenizer(model: Model) -> PreTrainedTokenizerBase | None:
    """The model's tokenizer, if it is on this machine."""
    pin = {"revision": model.revision} if model.source == "hub" else {}
    try:
        return AutoTokenizer.from_pretrained(
            model.name, local_files_only=True, trust_remote_code=False, **pin
        )
    except (OSError, ValueError, KeyError, ImportError):
        return None


def _estimated(
    rows: Mapping[str, Sequence[TaskRow]], options: Task, model: Model
) -> tuple[list[RowLength], list[RowLength], str]:
    """Lengths of training rows by their characters, none further, and what is estimated."""
    prompt = options.prompt
    fixed = TEMPLATE + (len(prompt.instruction) + len(prompt.cue)) // CHARACTERS

    def length(row: TaskRow) -> RowLength:
        row = row.for_prompt(prompt)
        question = min(prompt.max_tokens, fixed + len(row.input) // CHARACTERS)
        answer = 1 + max(1, len(row.completion) // CHARACTERS)
        return RowLength(question, min(prompt.max_completion_tokens, answer))

    remark = (
        f"{CHARACTERS} characters a token: the tokenizer of {model.name} is not on this machine"
    )
    return [length(row) for row in rows["train"]], [], remark
