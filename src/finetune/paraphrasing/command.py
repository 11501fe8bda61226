"""`finetune dataset paraphrase TASK`: a file of paraphrases of a task's train rows.

A file, which is pinned, and not a step of `prepare`: a teacher costs money, and does not answer the
same twice.
"""

import random
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from finetune.core import params, paths
from finetune.core.errors import DataError, UserError
from finetune.core.files import sha256
from finetune.core.overrides import quoted
from finetune.core.rows import TaskRow
from finetune.core.rows_file import RowsFile
from finetune.core.schema import Task
from finetune.core.text import input_hash, normalized
from finetune.data import paraphrases
from finetune.data.curation import tokens
from finetune.data.paraphrases import Paraphrase
from finetune.hosted import teacher
from finetune.inference.written import Decoding, Written
from finetune.paraphrasing import checks
from finetune.tasks import registry

PROMPT = """\
Rewrite the text below in other words. Say exactly the same: keep every name, number and date, add \
nothing and leave nothing out.{lines} Reply with the rewritten text alone.

Text:
{text}"""
OF_DIALOGUES = " Keep its lines, each with its speaker before the colon."
# The teacher may write so many times a text's estimated tokens, and some more.
MORE_TOKENS, TOKENS = 2, 64
TEMPERATURE = 0.7
MAX_TIMES = 10


@dataclass(frozen=True)
class Options:
    """What is asked for; see `commands/dataset.py`."""

    out: Path
    teacher: str
    teacher_model: str
    key_variable: str = "OPENAI_API_KEY"
    times: int = 1
    rows: int | None = None
    force: bool = False


def run(root: Path, task: str, options: Options) -> int:
    """Write the paraphrases that hold, and print what became of the others.

    Raises:
        UserError: an option does not fit, there are no prepared rows, or the teacher fails.
    """
    settings = params.read(root / "params.yaml")
    if task not in settings.tasks:
        raise UserError(f"no task {task!r}; known: {', '.join(settings.tasks)}")
    _check(options)
    kind = settings.tasks[task]
    rows = _rows(root, task, kind.kind, options.rows, settings.data.seed)
    refused: Counter[str] = Counter()
    who = teacher.Options(options.teacher, options.teacher_model, options.key_variable)
    # The teacher's answers, which are paid, are kept until the file is written.
    with teacher.opened(who, settings.run, f"paraphrase-{task}") as asker:
        lines = OF_DIALOGUES if kind.has_speakers else ""
        texts: list[str] = [getattr(row, kind.fields.input) for row in rows]
        prompts = [
            [{"role": "user", "content": PROMPT.format(lines=lines, text=text)}] for text in texts
        ]
        most = TOKENS + MORE_TOKENS * max(map(tokens, texts))
        decoding = Decoding(TEMPERATURE, options.times, settings.data.seed)
        answers = asker.ask(prompts, decoding, most, f"paraphrase {task}")
        kept = [
            Paraphrase(row.id, input_hash(own), text, options.teacher_model)
            for row, own, written in zip(rows, texts, answers, strict=True)
            for text in _kept(row, written, kind, refused)
        ]
        if kept:
            paraphrases.write(options.out, kept)
    if not kept:
        reasons = ", ".join(f"{count} {why}" for why, count in refused.most_common())
        raise DataError(f"{task}: none of {len(rows)} rows got a paraphrase ({reasons})")
    sign = "" if "augment" in kind.source.model_fields_set else "+"
    _print(f"{sign}tasks.{task}.source.augment", options.out, len(rows), len(kept), refused)
    return 0


def _check(options: Options) -> None:
    """See that options can be met, before a teacher is asked.

    Raises:
        UserError: they cannot.
    """
    if options.out.is_dir():
        raise UserError(f"{options.out}: is a folder; name a file")
    if options.out.exists() and not options.force:
        raise UserError(f"{options.out}: exists already; --force replaces it")
    above = next(folder for folder in options.out.absolute().parents if folder.exists())
    if not above.is_dir():
        raise UserError(f"{options.out}: {above} is no folder")
    if not 1 <= options.times <= MAX_TIMES:
        raise UserError(f"--times: must be from 1 to {MAX_TIMES}")
    if options.rows is not None and options.rows < 1:
        raise UserError("--rows: must be 1 or more")


def _rows(root: Path, task: str, kind: str, most: int | None, seed: int) -> Sequence[TaskRow]:
    """The rows that prepare has written for training, without those that were made; or some."""
    file = root / paths.prepared(task) / "train.jsonl"
    if not file.is_file():
        raise UserError(f"{file}: not there; run `dvc repro prepare@{task}` or `dvc pull`")
    try:
        rows = [row for row in RowsFile(file, registry.rows(kind).Row) if row.made_from is None]
    except ValidationError:
        raise UserError(f"{file}: holds rows of another kind; run `dvc repro`") from None
    if not rows:
        raise UserError(f"{file}: holds no rows")
    if most is None or most >= len(rows):
        return rows
    return [rows[place] for place in sorted(random.Random(seed).sample(range(len(rows)), most))]


def _kept(row: TaskRow, answers: Sequence[Written], kind: Task, refused: Counter[str]) -> list[str]:
    """The paraphrases of a row that hold; the others are counted."""
    kept: list[str] = []
    for answer in answers:
        text = normalized(answer.text)
        why = checks.problem(row, text, kind.fields.input, kind.has_speakers)
        if answer.hit_length_cap:
            why = "longer than asked for"
        elif text in kept:
            why = "repeated"
        if why:
            refused[why] += 1
        else:
            kept.append(text)
    return kept


def _print(key: str, out: Path, rows: int, kept: int, refused: Counter[str]) -> None:
    print(f"{out}: {kept} paraphrases of {rows} rows")
    if refused:
        print("\nOf what the teacher wrote, refused:")
        for why, count in refused.most_common():
            print(f"  {count:5}  {why}")
    pinned = f"{{file: {quoted(out)}, sha256: {sha256(out)}}}"
    line = shlex.quote(f"{key}={{paraphrases: {pinned}}}")
    print(f"\nNext:\n  dvc exp run -n paraphrased -S {line}\n  finetune compare main paraphrased")
