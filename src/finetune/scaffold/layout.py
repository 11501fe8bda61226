"""Which files hold the rows: one file, or a folder with one file a split."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from finetune.core.errors import DataError
from finetune.core.schema import ALL
from finetune.data import readers

# How the files of a split are called: `train.csv`, `val.json`, `test-00000-of-00001.parquet`.
NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
DELIMITERS = (",", ";", "\t", "|")
# Rows that a delimiter is judged by.
ENOUGH = 200


@dataclass(frozen=True)
class Layout:
    """A folder, the name of each split's file in it, and what stands between cells of CSV files."""

    root: Path
    splits: dict[str, str]
    delimiter: str

    @property
    def learned(self) -> str:
        """The split that columns are guessed from."""
        return ALL if ALL in self.splits else "train"


def find(path: Path) -> Layout:
    """The layout of a file, which `prepare` will split, or of a folder.

    Raises:
        DataError: there is no such file, its format is unknown, or a folder lacks train or test.
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
        found = [file for file in files if pattern.fullmatch(file.stem)]
        if len(found) > 1:
            raise DataError(
                f"{folder}: {found[0].name} and {found[1].name} may both be {split}; leave one"
            )
        if found:
            splits[split] = found[0]
    lacking = [split for split in ("train", "test") if split not in splits]
    if lacking:
        there = ", ".join(file.name for file in files) or "none"
        raise DataError(
            f"{folder}: no file is called {' or '.join(f'{split}.*' for split in lacking)} "
            f"(files that can be read: {there}); a single file is given by its own name, and split"
        )
    names = {split: file.name for split, file in splits.items()}
    return Layout(folder.resolve(), names, _delimiter(list(splits.values())))


def _delimiter(files: list[Path]) -> str:
    """What stands between the cells of the CSV files among these.

    Raises:
        DataError: they differ.
    """
    found = {file: sniff(file) for file in files if file.suffix.lower() == ".csv"}
    if len(set(found.values())) > 1:
        told = ", ".join(f"{file.name} {mark!r}" for file, mark in found.items())
        raise DataError(f"{files[0].parent}: delimiters differ ({told}); use one in all files")
    return next(iter(found.values()), ",")


def sniff(file: Path) -> str:
    """The delimiter under which most of a CSV file's first rows have as many cells as its header.

    `csv.Sniffer` counts characters without regard to quotes, and takes the commas of long texts
    for delimiters.
    """
    text = file.read_bytes().decode("utf-8-sig", errors="replace")

    def fitting(delimiter: str) -> tuple[int, int]:
        try:
            cells = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
            header = len(next(cells, []))
            rows = [len(row) for _, row in zip(range(ENOUGH), cells, strict=False)]
        except csv.Error:
            return 0, 0
        return (sum(row == header for row in rows), header) if header > 1 else (0, 0)

    # Of those that are level the one with most columns: 12,50 splits a table of tabs at commas too.
    # A file of one column has a comma, the first.
    return max(DELIMITERS, key=fitting)
