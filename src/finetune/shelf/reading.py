"""The files of a shelved run, under the paths that the pipeline gives them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from finetune.comparing.sources import Source
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import line, parse_json, read_text
from finetune.shelf import about, public, rows

README = "README.md"
TABLE = ".tsv"


def folder_of(root: Path, name: str) -> Path | None:
    """The folder of a shelved run that a name stands for; None where it stands for none.

    `results/a` and `results/a/`, which shells complete it to, are the same.
    """
    folder = root / name
    return folder if name and (folder / about.FILE).is_file() else None


def names(root: Path) -> list[str]:
    """All shelved runs, such as `results/a`."""
    folder = root / paths.shelf()
    if not folder.is_dir():
        return []
    found = (each for each in folder.iterdir() if (each / about.FILE).is_file())
    return sorted(
        (paths.shelf() / each.name).as_posix() for each in found if not each.name.startswith(".")
    )


def without_readme(given: Sequence[str]) -> list[str]:
    """The names without the shelf's README, which `results/*` holds too.

    Raises:
        UserError: nothing else was named.
    """
    named = [name for name in given if Path(name) != paths.shelf() / README]
    if given and not named:
        raise UserError(f"{paths.shelf()}: nothing is shelved yet; `finetune shelve NAME` does it")
    return named


def source(folder: Path, shown: str) -> tuple[Source, about.About]:
    """The files of a shelved run, and its description.

    Rows of scores are given as the JSON lines that the pipeline has.

    Raises:
        UserError: the folder is no shelved run.
    """
    described = about.read(folder, shown)

    def text(path: str) -> str:
        is_rows = path.endswith(".jsonl")
        there = Path(path).with_suffix(TABLE).as_posix() if is_rows else path
        content = _checked(folder, shown, there, described)
        if not is_rows:
            return content
        where = f"{shown}/{there}"
        read = rows.from_table(content, where)
        for row in read:
            rows.check(row, None, where)
        return "".join(line(row) + "\n" for row in read)

    def listed(path: str) -> list[str]:
        inside = [Path(file) for file in described.files]
        has_rows = path.startswith("predictions/")
        return sorted(
            file.with_suffix(".jsonl").name if has_rows else file.name
            for file in inside
            if file.parent == Path(path)
        )

    return Source(text, listed, described.code.commit), described


def check(folder: Path, shown: str) -> None:
    """Check that a folder holds the files of a shelved run, as they were written, and no other.

    Raises:
        UserError: one is damaged, holds what may not be on the shelf, or is unknown.
    """
    files, described = source(folder, shown)
    for path in described.files:
        if path.endswith(".json"):
            _, left_out = public.metrics(parse_json(files.text(path), f"{shown}/{path}"))
            if left_out:
                raise UserError(f"{shown}/{path}: {left_out[0]} may not be on the shelf")
        elif path.startswith("predictions/"):
            files.text(Path(path).with_suffix(".jsonl").as_posix())
        elif path.endswith(TABLE):
            public.check_curve(files.text(path), f"{shown}/{path}")
        else:
            files.text(path)
    there = {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()}
    for path in sorted(there - {*described.files, about.FILE}):
        raise UserError(f"{shown}: {path} is no file of the run; remove it, or shelve it again")


def _checked(folder: Path, shown: str, path: str, described: about.About) -> str:
    """The text of a file that is as it was shelved.

    Raises:
        UserError: it is not there, or was changed.
    """
    if path not in described.files:
        raise UserError(f"{shown}: {path} is not on the shelf: the run had none")
    file = folder / path
    if not file.is_file():
        raise UserError(f"{shown}: {path} is missing; `git checkout {shown}` restores it")
    text = read_text(file)
    if hashlib.sha256(text.encode()).hexdigest() != described.files[path]:
        raise UserError(
            f"{shown}: {path} was changed since the run was shelved; `git checkout {shown}` "
            "restores it"
        )
    return text
