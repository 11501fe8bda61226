"""Data for `dvc plots`: what the page's figures show, as tables that two revisions can share."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from finetune.core.files import write_text
from finetune.reporting.material import Material
from finetune.reporting.standings import standings


def write(material: Material, folder: Path) -> None:
    """`ladder.tsv` of the first metric, and for prices `predicted.tsv`, into a folder."""
    ladder = [(s.name, s.score, s.low, s.high) for s in standings(material)]
    _write(folder / "ladder.tsv", ("name", "score", "low", "high"), ladder)
    if material.kind == "price":
        tuned = material.predictions.get("tuned", [])
        pairs = [(row["reference"], row["prediction"]) for row in tuned]
        _write(folder / "predicted.tsv", ("reference", "prediction"), pairs)


def _write(file: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    table = csv.writer(text, delimiter="\t", lineterminator="\n")
    table.writerows([names, *rows])
    write_text(file, text.getvalue())
