"""Files of ratings: JSON lines as the page saves them, one line for each row that a rater rated."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError

from finetune.comparing.runs import Split
from finetune.core.errors import DataError, FileError, UserError
from finetune.core.files import read_jsonl

SUFFIX = ".jsonl"
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Name = Annotated[str, StringConstraints(pattern=r"\S", max_length=200)]


class Rating(BaseModel):
    """What a rater said of a row; `left` and `right` are hashes of the answers on these sides.

    `at` is when, by the clock of the rater's machine.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    page: str
    task: Name
    split: Split
    rater: Name
    row: str
    input: str
    left: Hash
    right: Hash
    choice: Literal["left", "right", "tie", "skip"]
    reference_seen: bool = False
    at: AwareDatetime

    @property
    def by(self) -> str:
        """The rater's name, whatever its case and blanks."""
        return " ".join(self.rater.split()).casefold()


@dataclass(frozen=True)
class Collected:
    """The ratings that count, each with its file and line, and how many a later one replaced."""

    ratings: list[tuple[str, Rating]]
    replaced: int


def files(given: Sequence[Path]) -> list[Path]:
    """The files of ratings, those of a folder in the order of their names.

    Raises:
        UserError: there is no such file, or a folder holds none.
    """
    chosen: list[Path] = []
    for path in given:
        inside = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
        if not inside or not all(file.is_file() for file in inside):
            raise UserError(
                f"--ratings {path}: no file of ratings ({SUFFIX}); the page of `finetune rate` "
                "saves one for each rater"
            )
        chosen += inside
    return list(dict.fromkeys(chosen))


def read(paths: Sequence[Path]) -> Collected:
    """The ratings of some files; where a rater rated a row twice, the later one counts.

    Raises:
        DataError: a line is none of this form.
    """
    everything = [each for path in paths for each in _lines(path)]
    # By the clock, and of one time by the order of files and lines.
    ordered = sorted(everything, key=lambda each: each[1].at)
    last = {(r.by, r.task, r.split, r.row, r.input): (where, r) for where, r in ordered}
    return Collected(list(last.values()), len(everything) - len(last))


def _lines(path: Path) -> Iterator[tuple[str, Rating]]:
    try:
        lines = read_jsonl(path)
    except FileError as error:
        reason = str(error).partition("; ")[0]
        raise DataError(f"{reason}; save the file once more from the page") from None
    for number, line in enumerate(lines, start=1):
        where = f"{path}: line {number}"
        try:
            yield where, Rating.model_validate(line)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "the line"
            raise DataError(
                f"{where}: {key}: {first['msg']}; is it a file that the page of `finetune rate` "
                "saved?"
            ) from None
