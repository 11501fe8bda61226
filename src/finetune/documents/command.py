"""`finetune dataset from-docs`: documents become a file of pairs, or one for each split."""

import contextlib
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tabulate import tabulate

from finetune.core import params, paths
from finetune.core.errors import DataError, UserError
from finetune.core.files import sha256, write_json, write_jsonl
from finetune.core.schema import NearDuplicates
from finetune.documents import pairs, reading, repeats, splitting
from finetune.documents.pairs import Ask, Pair
from finetune.documents.passages import Bounds, Kind, Passage, passages
from finetune.documents.reading import Reading

# Unreadable documents that are listed.
MAX_LISTED = 10
# The suffix of an --out that is one file for all splits.
ONE_FILE = ".jsonl"
LEFT_OUT_KINDS = ("code", "table")
# What stands beside the files of the splits: where they came from, and what was left out.
RECORD = "documents.json"


@dataclass(frozen=True)
class Options:
    """What becomes of passages; see `commands/dataset.py` for what each means."""

    out: Path
    min_words: int = 5
    max_words: int = 300
    shorten: bool = False
    questions: int | None = None
    context_words: int = 0
    leave_out: Sequence[str] = ()
    near: float = 0.8
    test_fraction: float = 0.1
    validation_fraction: float = 0.1
    seed: int = 7
    force: bool = False
    teacher: str | None = None
    teacher_model: str | None = None
    key_variable: str = "OPENAI_API_KEY"


@dataclass
class Made:
    """The pairs, what was read, and counts of what was left out and of what a teacher got wrong."""

    pairs: list[Pair]
    reading: Reading
    left_out: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    splits: dict[str, str] = field(default_factory=dict)


def run(root: Path, given: Sequence[Path], options: Options) -> int:
    """Write pairs of the documents at these paths, and print what became of them.

    Raises:
        UserError: an option does not fit, there are no pairs, or nothing can be read.
    """
    near = _checked(options)
    # A teacher's answers, which are paid, are kept until all is written.
    with contextlib.ExitStack() as held:
        made = make(root, given, options, near, held)
        files = _write(made, given, options)
    _print(made, files, options)
    return 0


def _checked(options: Options) -> NearDuplicates:
    """See that options fit each other.

    Raises:
        UserError: they do not.
    """
    if not 0 < options.min_words <= options.max_words:
        raise UserError("--min-words: must be from 1 up to --max-words")
    if options.questions is not None and options.questions < 1:
        raise UserError("--questions: must be 1 or more")
    if options.context_words < 0:
        raise UserError("--context-words: must be 0 or more")
    for name in ("test_fraction", "validation_fraction"):
        if not 0 < getattr(options, name) < 0.5:
            raise UserError(f"--{name.replace('_', '-')}: must be above 0 and below 0.5")
    if options.teacher and not options.teacher_model:
        raise UserError("--teacher-model: is not given; name the model as its server does")
    if options.out.exists() and not options.force:
        raise UserError(f"{options.out}: exists already; --force replaces what it writes there")
    if options.out.suffix == ONE_FILE and options.out.is_dir():
        raise UserError(f"{options.out}: is a folder, and by its name should be a file")
    if options.out.suffix != ONE_FILE and (options.out.suffix or options.out.is_file()):
        raise UserError(
            f"--out: {options.out}: must be a folder, or a file that ends in {ONE_FILE}"
        )
    try:
        return repeats.options(options.near)
    except ValueError:
        raise UserError("--near: must be a similarity from 0.65 to 1") from None


def make(
    root: Path,
    given: Sequence[Path],
    options: Options,
    near: NearDuplicates,
    held: contextlib.ExitStack,
) -> Made:
    """The pairs of documents, with their splits where there are enough documents.

    What a teacher has answered is on disk until `held` is closed.

    Raises:
        UserError: there are no pairs, too few documents for a split, or the teacher fails.
    """
    read = reading.read(given)
    made = Made([], read)
    bounds = Bounds(options.min_words, options.max_words, options.leave_out, options.shorten)
    found = [p for document in read.documents for p in passages(document, bounds, made.left_out)]
    kept = pairs.distinct(found, near, made.left_out)
    documents = {passage.document for passage in kept}
    if kept and options.out.suffix != ONE_FILE:  # before a teacher is asked, who is paid
        splitting.check_count(len(documents))
    ask: Ask | None = None
    count = options.questions or 1
    if options.teacher:
        from finetune.documents.teacher import Teacher  # loads the client of hosted models
        from finetune.hosted import teacher

        count = options.questions or 3
        who = teacher.Options(options.teacher, str(options.teacher_model), options.key_variable)
        settings = params.read(root / "params.yaml").run
        asked = Teacher(held.enter_context(teacher.opened(who, settings, "documents")), count)
        ask, made.refused = asked, asked.refused
    made.pairs = pairs.pairs(kept, count, options.context_words, ask)
    if not made.pairs:
        most = (
            ", ".join(f"{n} {why}" for why, n in made.left_out.most_common(3)) or "they are empty"
        )
        raise DataError(
            f"{', '.join(map(str, given))}: no pairs in {len(read.documents)} documents ({most}); "
            "see --min-words, --max-words and --shorten"
        )
    counts = Counter(pair.passage.document for pair in made.pairs)
    if len(counts) >= 3 or options.out.suffix != ONE_FILE:
        made.splits = splitting.by_document(
            counts, options.test_fraction, options.validation_fraction, options.seed
        )
        made.pairs = _one_an_answer(made)
    return made


def _one_an_answer(made: Made) -> list[Pair]:
    """The pairs, of validation and test one for each answer.

    Further questions help training; as rows to score they would count one answer several times.
    """
    seen: set[tuple[Passage, str]] = set()
    kept: list[Pair] = []
    for pair in made.pairs:
        key = (pair.passage, pair.response)
        if made.splits[pair.passage.document] == "train" or key not in seen:
            kept.append(pair)
        else:
            made.left_out["further questions of validation and test about one answer"] += 1
        seen.add(key)
    return kept


def _write(made: Made, given: Sequence[Path], options: Options) -> list[Path]:
    """Write the file, or a file for each split with a record beside them."""
    if options.out.suffix == ONE_FILE:
        rows = [pair.row() for pair in made.pairs]
        if made.splits:
            rows = [row | {"split": made.splits[row["file"]]} for row in rows]
        write_jsonl(options.out, rows)
        return [options.out]
    files = []
    for split in paths.SPLITS:
        of_split = [p.row() for p in made.pairs if made.splits[p.passage.document] == split]
        files.append(options.out / f"{split}{ONE_FILE}")
        write_jsonl(files[-1], of_split)
    write_json(options.out / RECORD, _record(made, given))
    return files


def _record(made: Made, given: Sequence[Path]) -> dict[str, Any]:
    """Where the pairs came from, document by document, and what was left out."""
    hashes = {name: sha256(file) for name, file in reading.files(given).items()}
    counts = Counter(pair.passage.document for pair in made.pairs)
    return {
        "documents": {
            document.name: {
                "sha256": hashes[document.name],
                "pairs": counts[document.name],
                "split": made.splits.get(document.name),
            }
            for document in made.reading.documents
        },
        "unreadable": made.reading.unreadable,
        "other_files": dict(made.reading.others),
        "left_out": dict(made.left_out),
        "refused_of_teacher": dict(made.refused),
    }


def _print(made: Made, files: Sequence[Path], options: Options) -> None:
    read = made.reading
    print(f"{len(read.documents)} documents, {len(made.pairs)} pairs: {', '.join(map(str, files))}")
    print(f"\n{_table(made)}")
    _print_counts("Left out:", made.left_out)
    _print_counts("Of what the teacher wrote, refused:", made.refused)
    _print_counts("Files of other formats:", read.others)
    if read.unreadable:
        print("\nNot read:")
        for name, why in list(read.unreadable.items())[:MAX_LISTED]:
            print(f"  {name}: {why}")
        if (more := len(read.unreadable) - MAX_LISTED) > 0:
            print(f"  … and {more} more")
    folder = shlex.quote(str(options.out))
    if options.out.suffix == ONE_FILE:
        if not made.splits:
            print("\nFewer than three documents give pairs: there is no split by document.")
        print(f"\nNext:\n  finetune dataset check {folder} --kind instruction")
        return
    print(
        "\nNext:\n"
        f"  finetune dataset check {folder}/train.jsonl --kind instruction "
        f"--against {folder}/test.jsonl\n"
        f"  dvc exp run -S experiment=docs-assistant -S data.root={folder}"
    )


def _print_counts(title: str, counts: Counter[str]) -> None:
    if shown := [(count, what) for what, count in counts.most_common() if count]:
        print(f"\n{title}")
        print(tabulate(shown, tablefmt="plain"))


def _table(made: Made) -> str:
    """Pairs by split and by what they were made of."""
    splits = [split for split in paths.SPLITS if split in made.splits.values()] or ["all"]
    kinds: tuple[Kind, ...] = ("section", "faq", "definition")
    body = []
    for split in splits:
        of = [p for p in made.pairs if made.splits.get(p.passage.document, "all") == split]
        by_kind = Counter(pair.passage.kind for pair in of)
        words = sum(len(pair.response.split()) for pair in of) / max(1, len(of))
        documents = len({pair.passage.document for pair in of})
        body.append([split, documents, len(of), *(by_kind[kind] for kind in kinds), words])
    head = ["", "documents", "pairs", "of sections", "of questions", "of definitions",
            "words of an answer"]  # fmt: skip
    return tabulate(body, headers=head, floatfmt=".0f")
