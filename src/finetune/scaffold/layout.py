"""The layout of a user's files: a single file, or a folder with one file per split."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from finetune.core.errors import DataError
from finetune.core.schema import ALL
from finetune.data import readers

# Names of the files of a split: `train.csv`, `val.json`, `test-00000-of-00001.parquet`.
NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
DELIMITERS = (",", ";", "\t", "|")
# Rows by which a delimiter is recognized.
SNIFFED_ROWS = 200


@dataclass(frozen=True)
class Layout:
    """A folder, the file name of each split, and the delimiter of CSV files."""

    root: Path
    splits: dict[str, str]
    delimiter: str

    @property
    def learned(self) -> str:
        """The split from which columns are guessed."""
        return ALL if ALL in self.splits else "train"


def find(path: Path) -> Layout:
    """The layout of a single file, to be split by `prepare`, or of a folder.

    Raises:
        DataError: the file is missing or of unknown format, or the folder lacks train or test.
    """
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file or folder")
    if path.suffix.lower() not in readers.READERS:
        raise DataError(f"{path}: unknown format; known: {', '.join(readers.READERS)}")
    return Layout(path.resolve().parent, {ALL: path.name}, _delimiter([path]))


def _folder(folder: Path) -> Layout:
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in readers.READERS)
    splits: dict[str, Path] = {}
    for split, names in NAMES.items():
        pattern = re.compile(rf"({'|'.join(names)})([-_.].*)?", re.IGNORECASE)
        matching = [file for file in files if pattern.fullmatch(file.stem)]
        if len(matching) > 1:
            raise DataError(
                f"{folder}: {matching[0].name} and {matching[1].name} may both be {split}; "
                "leave one"
            )
        if matching:
            splits[split] = matching[0]
    lacking = [split for split in ("train", "test") if split not in splits]
    if lacking:
        readable = ", ".join(file.name for file in files) or "none"
        raise DataError(
            f"{folder}: no file is called {' or '.join(f'{split}.*' for split in lacking)} "
            f"(readable files: {readable}); or give the path of a single file"
        )
    by_split = {split: file.name for split, file in splits.items()}
    return Layout(folder.resolve(), by_split, _delimiter(list(splits.values())))


def _delimiter(files: list[Path]) -> str:
    """The delimiter of the CSV files among these.

    Raises:
        DataError: they differ.
    """
    delimiters = {file: sniff(file) for file in files if file.suffix.lower() == ".csv"}
    if len(set(delimiters.values())) > 1:
        listed = ", ".join(f"{file.name} {mark!r}" for file, mark in delimiters.items())
        raise DataError(f"{files[0].parent}: delimiters differ ({listed}); use one in all files")
    return next(iter(delimiters.values()), ",")


def sniff(file: Path) -> str:
    """The delimiter with which most of a CSV file's first rows have as many cells as its header.

    `csv.Sniffer` ignores quotes, and mistakes the commas of long texts for delimiters.
    """
    text = file.read_bytes().decode("utf-8-sig", errors="replace")

    def fitting(delimiter: str) -> tuple[int, int]:
        try:
            cells = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
            header = len(next(cells, []))
            rows = [len(row) for _, row in zip(range(SNIFFED_ROWS), cells, strict=False)]
        except csv.Error:
            return 0, 0
        return (sum(row == header for row in rows), header) if header > 1 else (0, 0)

    # Ties go to the delimiter with more columns: 12,50 would split a tab-separated table at commas
    # too. A file of one column gets the first, a comma.
    return max(DELIMITERS, key=fitting)
