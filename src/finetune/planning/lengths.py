"""How long the rows of a run are, in tokens: counted, or estimated where that cannot be."""

from dataclasses import dataclass

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from finetune.core import paths
from finetune.core.files import read_json, read_jsonl
from finetune.core.schema import Model, Params, PriceTask, SummarizationTask
from finetune.data import preparation, sources, splitting
from finetune.data.preparation import Rules
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks.kinds import kind
from finetune.training.examples import encode, learned_rate

# Without a tokenizer: characters of English a token, and tokens of a chat template around a prompt.
CHARACTERS, TEMPLATE = 4, 30
# Without rows: what SAMSum has, in a public 1B course's own count.
ROWS, TOKENS, LEARNED = 10_000, 200, 0.4


@dataclass(frozen=True)
class Lengths:
    """Rows to learn from, their tokens in all and at most, and the largest part learned.

    `remark` says what is not counted but estimated or assumed; empty where all is counted.
    """

    rows: int
    tokens: int
    longest: int
    learned_rate: float
    remark: str


def of(params: Params, task: str) -> Lengths:
    """The lengths of a task's rows in train, and in validation for the longest.

    Raises:
        UserError: the data are there, but cannot be used.
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
    train, validation = (
        encode(rows[split], kind(options.kind), encoder).examples
        for split in ("train", "validation")
    )
    lengths = [len(example["input_ids"]) for example in train]
    longest = max(len(example["input_ids"]) for example in [*train, *validation])
    return Lengths(len(train), sum(lengths), longest, learned_rate([*train, *validation]), "")


def _rows(params: Params, task: str) -> dict[str, list[dict]] | None:
    """The rows that `prepare` would write, or has written for this source; None where neither."""
    options, data = params.tasks[task], params.data
    if data.source == "hub":
        return _prepared(params, task)
    fetched = sources.fetch(
        data.source, data.root, data.embedded, options.source, kind(options.kind)
    )
    rules = Rules(data.max_bad_share, data.test_share, data.validation_share, data.seed)
    names = {split: f"{task}/{split}" for split in fetched.splits}
    splits = preparation.prepare(fetched.splits, names, kind(options.kind), rules)
    for split in paths.SPLITS:
        splitting.limit(splits[split], getattr(data.limit, split), data.seed)
    preparation.check_rows(task, splits)
    return {split: splits[split].rows for split in ("train", "validation")}


def _prepared(params: Params, task: str) -> dict[str, list[dict]] | None:
    """The rows that `prepare` has written, if they are of this task's data set on the hub."""
    source, files = params.tasks[task].source.hub, paths.prepared(task)
    origin = paths.raw(task) / "source.json"
    if source is None or not origin.is_file() or not (files / "train.jsonl").is_file():
        return None
    written = read_json(origin)
    if (written.get("source"), written.get("repo")) != ("hub", source.repo):
        return None
    if source.revision is not None and written.get("revision") != source.revision:
        return None
    rows = {split: read_jsonl(files / f"{split}.jsonl") for split in ("train", "validation")}
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


def _estimated(
    rows: dict[str, list[dict]], options: SummarizationTask | PriceTask, model: Model
) -> Lengths:
    task, prompt = kind(options.kind), options.prompt
    fixed = TEMPLATE + (len(prompt.instruction) + len(prompt.cue)) // CHARACTERS

    def tokens(row: dict) -> tuple[int, int]:
        question = min(prompt.max_tokens, fixed + len(task.body(row)) // CHARACTERS)
        answer = 1 + max(1, len(task.target(row)) // CHARACTERS)
        return question, min(prompt.max_completion_tokens, answer)

    found = [tokens(row) for row in rows["train"]]
    remark = (
        f"{CHARACTERS} characters a token: the tokenizer of {model.name} is not on this machine"
    )
    return Lengths(
        len(found),
        sum(question + answer for question, answer in found),
        max(question + answer for question, answer in found),
        max(answer / (question + answer) for question, answer in found),
        remark,
    )
