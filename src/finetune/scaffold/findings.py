"""All rows of a user's files, read and checked as `fetch` and `prepare` would."""

import json
import math
from dataclasses import dataclass

from tabulate import tabulate

from finetune.core import paths
from finetune.core.errors import DataError
from finetune.core.files import line
from finetune.core.rows import TaskRow
from finetune.core.schema import ALL, Data, TaskSource
from finetune.data import preparation, sources, task_rows
from finetune.data.cleaning import Split
from finetune.data.preparation import Rules
from finetune.scaffold.layout import Layout
from finetune.tasks import registry

# Rejected rows that are listed.
MAX_LISTED = 5
# A larger fraction of bad rows means that the columns were guessed wrong.
MAX_BAD = 0.5


@dataclass(frozen=True)
class Findings:
    """The splits as `prepare` would write them, and the highest rate of bad rows of a split."""

    kind: str
    splits: dict[str, Split]
    bad_rate: float

    @property
    def rows(self) -> list[TaskRow]:
        """The kept rows of all splits."""
        return [row for name in paths.SPLITS for row in self.splits[name].rows]


def check(name: str, layout: Layout, source: TaskSource, kind: str, data: Data) -> Findings:
    """Read and check every row as the pipeline does, without writing.

    Raises:
        DataError: `prepare` would fail whatever its settings, or most rows are bad.
    """
    row_fields = registry.options(kind).Task.fields
    fetched = sources.fetch("files", str(layout.root), data.embedded, source, row_fields)
    # A round trip through JSON, as between `fetch` and `prepare`.
    raw = {split: [json.loads(line(row)) for row in rows] for split, rows in fetched.splits.items()}
    for split, given in raw.items():
        if not given:
            raise DataError(f"{layout.splits[split]}: holds no rows")
    # No limit on bad rows here: they are reported with the other counts.
    rules = Rules(
        1.0, data.near_duplicates, data.test_fraction, data.validation_fraction, data.seed
    )
    rows = task_rows.of_task(
        registry.rows(kind), row_fields, source.curate, data.phone_regions, data.mask_pii
    )
    splits = preparation.prepare(raw, layout.splits, rows, row_fields.input, rules, name).splits
    for split, file in layout.splits.items():
        bad = splits[split].bad
        if len(bad) > MAX_BAD * len(raw[split]):
            raise DataError(
                f"{file}: {bad[0]['place']}: {bad[0]['reason']}; {len(bad)} of {len(raw[split])} "
                "rows are bad; see --input, --target and --id for other columns"
            )
    preparation.check_rows(name, splits)
    bad_rates = [len(splits[split].bad) / len(raw[split]) for split in raw]
    return Findings(kind, splits, max(bad_rates))


def table(findings: Findings) -> str:
    """A table of counts by split: those of data.json that are not 0, and the kept rows."""
    splits = {
        name: {**split.counts, **({} if name == ALL else {"kept": len(split.rows)})}
        for name, split in findings.splits.items()
    }
    counts_of = registry.init(findings.kind).INIT.counts
    for name in paths.SPLITS:
        # Of a split that came as one, what cleaning counted: that is what data.json has.
        splits[name] |= counts_of(findings.splits[name].rows) | splits[name]
    order = [ALL, *paths.SPLITS]
    names = [name for name in order if name in splits]
    known = dict.fromkeys(count for name in names for count in splits[name])
    counts = [c for c in known if c != "kept" and any(splits[n].get(c) for n in names)] + ["kept"]
    body = [[c.replace("_", " "), *(splits[n].get(c) for n in names)] for c in counts]
    return tabulate(body, headers=["rows", *names], tablefmt="simple", missingval="")


def set_aside(findings: Findings) -> list[str]:
    """The first rows that violate the schema, each with its file, place and reason."""
    bad = [row for split in findings.splits.values() for row in split.bad]
    lines = [f"{row['file']}: {row['place']}: {row['reason']}" for row in bad[:MAX_LISTED]]
    return [*lines, f"… and {len(bad) - MAX_LISTED} more"] if len(bad) > MAX_LISTED else lines


def needed_bad_rate(findings: Findings, data: Data) -> float | None:
    """The `data.max_bad_rate` at which these rows pass; None if they already do."""
    if findings.bad_rate <= data.max_bad_rate:
        return None
    return math.ceil(100 * findings.bad_rate) / 100
