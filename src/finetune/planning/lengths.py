"""Lengths of a run's rows in tokens: counted, or estimated without tokenizer or data."""

from dataclasses import dataclass

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from finetune.core import paths
from finetune.core.files import read_json, read_jsonl
from finetune.core.rows import TaskRow
from finetune.core.schema import Model, Params, Task
from finetune.data import preparation, sources, splitting
from finetune.data.preparation import Rules
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks import registry
from finetune.training.examples import encode, max_target_rate

# Estimates without a tokenizer: characters of English per token, tokens of a chat template.
CHARACTERS, TEMPLATE = 4, 30
# Estimates without data: those of SAMSum as counted by a public course on 1B models.
ROWS, TOKENS, LEARNED = 10_000, 200, 0.4


@dataclass(frozen=True)
class Lengths:
    """Training rows, their tokens (total and longest), the maximal fraction of learned tokens.

    `remark` names what is estimated or assumed; empty if everything was counted.
    """

    rows: int
    tokens: int
    longest: int
    learned_rate: float
    remark: str


def of(params: Params, task: str) -> Lengths:
    """The lengths of a task's training rows; the longest is over validation rows too.

    Raises:
        UserError: the data exist, but cannot be used.
    """
    options = params.tasks[task]
    prompt = options.prompt
    rows = _rows(params, task)
    if rows is None:
        count = params.data.limit.train or ROWS
        longest = prompt.max_tokens + prompt.max_completion_tokens
        remark = f"{TOKENS} tokens a row are assumed: the data set has not been fetched"
        if params.data.limit.train is None:
            remark = f"{ROWS:,} rows and {remark}"
        return Lengths(count, count * TOKENS, longest, LEARNED, remark)
    tokenizer = _tokenizer(params.model)
    if tokenizer is None:
        return _estimated(rows, options, params.model)
    encoder = PromptEncoder(tokenizer, prompt, 1_000_000)
    train, validation = (encode(rows[split], encoder).examples for split in ("train", "validation"))
    lengths = [len(example["input_ids"]) for example in train]
    longest = max(len(example["input_ids"]) for example in [*train, *validation])
    return Lengths(len(train), sum(lengths), longest, max_target_rate([*train, *validation]), "")


def _rows(params: Params, task: str) -> dict[str, list[TaskRow]] | None:
    """The rows that `prepare` would write, or has written for this source; None without data."""
    options, data = params.tasks[task], params.data
    if data.source == "hub":
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
    )
    names = {split: f"{task}/{split}" for split in fetched.splits}
    splits = preparation.prepare(
        fetched.splits,
        names,
        registry.rows(options.kind, options.prompt),
        type(options).fields.input,
        rules,
        task,
    ).splits
    for split in paths.SPLITS:
        splitting.limit(splits[split], getattr(data.limit, split), data.seed)
    preparation.check_rows(task, splits)
    return {split: splits[split].rows for split in ("train", "validation")}


def _prepared(params: Params, task: str) -> dict[str, list[TaskRow]] | None:
    """The rows that `prepare` has written, if they come from this task's data set on the hub."""
    source, files = params.tasks[task].source.hub, paths.prepared(task)
    origin = paths.raw(task) / "source.json"
    if source is None or not origin.is_file() or not (files / "train.jsonl").is_file():
        return None
    written = read_json(origin)
    if (written.get("source"), written.get("repo")) != ("hub", source.repo):
        return None
    if source.revision is not None and written.get("revision") != source.revision:
        return None
    row = registry.rows(params.tasks[task].kind).Row
    rows = {
        split: [row(**each) for each in read_jsonl(files / f"{split}.jsonl")]
        for split in ("train", "validation")
    }
    return {split: rows[split][: getattr(params.data.limit, split)] for split in rows}


def _tokenizer(model: Model) -> PreTrainedTokenizerBase | None:
    """The model's tokenizer, if it is on this machine."""
    pin = {"revision": model.revision} if model.source == "hub" else {}
    try:
        return AutoTokenizer.from_pretrained(
            model.name, local_files_only=True, trust_remote_code=False, **pin
        )
    except (OSError, ValueError, KeyError, ImportError):
        return None


def _estimated(rows: dict[str, list[TaskRow]], options: Task, model: Model) -> Lengths:
    prompt = options.prompt
    fixed = TEMPLATE + (len(prompt.instruction) + len(prompt.cue)) // CHARACTERS

    def tokens(row: TaskRow) -> tuple[int, int]:
        row = row.for_prompt(prompt)
        question = min(prompt.max_tokens, fixed + len(row.input) // CHARACTERS)
        answer = 1 + max(1, len(row.completion) // CHARACTERS)
        return question, min(prompt.max_completion_tokens, answer)

    lengths = [tokens(row) for row in rows["train"]]
    remark = (
        f"{CHARACTERS} characters a token: the tokenizer of {model.name} is not on this machine"
    )
    return Lengths(
        len(lengths),
        sum(question + answer for question, answer in lengths),
        max(question + answer for question, answer in lengths),
        max(answer / (question + answer) for question, answer in lengths),
        remark,
    )
