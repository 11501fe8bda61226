"""`finetune dataset from-docs`, `finetune dataset check` and `finetune dataset paraphrase`."""

import argparse
from pathlib import Path

from finetune.tasks import registry


def add_options(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(required=True, metavar="ACTION", dest="action")
    _from_docs(actions.add_parser("from-docs", help="pairs of questions and answers of documents"))
    _check(actions.add_parser("check", help="what is wrong with a file, before any training"))
    _paraphrase(
        actions.add_parser("paraphrase", help="a file of paraphrases of a task's train rows")
    )


def _from_docs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "paths",
        metavar="DIR",
        type=Path,
        nargs="+",
        help="folders or files: Markdown, HTML, text, PDF, DOCX",
    )
    command.add_argument(
        "--out",
        metavar="OUT",
        type=Path,
        required=True,
        help="folder for train.jsonl, validation.jsonl and test.jsonl; or FILE.jsonl, which has a "
        "column `split`",
    )
    command.add_argument(
        "--min-words", metavar="N", type=int, default=5, help="of a text (default: 5)"
    )
    command.add_argument(
        "--max-words", metavar="N", type=int, default=300, help="of a text (default: 300)"
    )
    command.add_argument(
        "--shorten",
        action="store_true",
        help="end a longer text after its last whole paragraph within --max-words (default: leave "
        "it out)",
    )
    command.add_argument(
        "--questions",
        metavar="N",
        type=int,
        help="of a passage, at most (default: 1; with --teacher 3); of validation and test one for "
        "each answer",
    )
    command.add_argument(
        "--context-words",
        metavar="N",
        type=int,
        default=0,
        help="give each question so many words of its document to answer from (default: none)",
    )
    command.add_argument(
        "--leave-out",
        choices=["code", "table"],
        action="append",
        default=[],
        help="blocks that are no text of an answer; may be repeated",
    )
    command.add_argument(
        "--near",
        metavar="SIMILARITY",
        type=float,
        default=0.8,
        help="Jaccard similarity from which on passages are near-duplicates (default: 0.8)",
    )
    command.add_argument("--test-fraction", metavar="F", type=float, default=0.1)
    command.add_argument("--validation-fraction", metavar="F", type=float, default=0.1)
    command.add_argument(
        "--seed", metavar="N", type=int, default=7, help="draws the documents of each split"
    )
    command.add_argument("--force", action="store_true", help="replace files that are there")
    _add_teacher(command, "the questions", is_required=False)


def _add_teacher(command: argparse.ArgumentParser, what: str, is_required: bool) -> None:
    command.add_argument(
        "--teacher",
        metavar="URL",
        required=is_required,
        help=f"OpenAI-compatible server that writes {what}",
    )
    command.add_argument(
        "--teacher-model", metavar="NAME", required=is_required, help="as its server calls it"
    )
    command.add_argument(
        "--key-variable",
        metavar="NAME",
        default="OPENAI_API_KEY",
        help="environment variable with the teacher's key (default: OPENAI_API_KEY)",
    )


def _check(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", type=Path, help="CSV, JSON, JSON lines or Parquet")
    command.add_argument("--kind", choices=registry.names(), help="needed without --task")
    command.add_argument(
        "--task", metavar="NAME", help="columns as this file of conf/task has them"
    )
    command.add_argument(
        "--against", metavar="FILE", type=Path, help="test rows, say, that FILE must not share"
    )
    command.add_argument("--input", metavar="COL", help="column that the model reads")
    command.add_argument(
        "--target", metavar="COL", action="append", default=[], help="column that it should write"
    )
    command.add_argument("--id", metavar="COL", help="column of unique ids")
    command.add_argument(
        "--show", metavar="N", type=int, default=10, help="lines to show of each (default: 10)"
    )


def _paraphrase(command: argparse.ArgumentParser) -> None:
    command.add_argument("task", metavar="TASK", help="whose prepared train rows are paraphrased")
    command.add_argument("--out", metavar="FILE", type=Path, required=True, help="JSON lines")
    _add_teacher(command, "the paraphrases", is_required=True)
    command.add_argument(
        "--times", metavar="N", type=int, default=1, help="paraphrases of a row (default: 1)"
    )
    command.add_argument(
        "--rows", metavar="N", type=int, help="so many rows, drawn with data.seed (default: all)"
    )
    command.add_argument("--force", action="store_true", help="replace a file that is there")


def run(root: Path, options: argparse.Namespace) -> int:
    """Make a data set of your documents, check a file before training, or paraphrase train rows."""
    given = dict(vars(options))
    for name in ("run", "action"):
        given.pop(name)
    if options.action == "check":
        from finetune.inspecting import command as inspecting  # takes seconds to import (SciPy)

        return inspecting.run(root, given.pop("file"), inspecting.Options(**given))
    if options.action == "paraphrase":
        from finetune.paraphrasing import command as paraphrasing

        return paraphrasing.run(root, given.pop("task"), paraphrasing.Options(**given))
    from finetune.documents import command as documents

    return documents.run(root, given.pop("paths"), documents.Options(**given))
