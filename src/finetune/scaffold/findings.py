"""What the whole of somebody's files holds, seen with the eyes of `fetch` and `prepare`."""

import json
import math
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from finetune.core import paths
from finetune.core.errors import DataError
from finetune.core.files import line
from finetune.core.schema import ALL, Data, TaskSource
from finetune.data import preparation, sources
from finetune.data.cleaning import Split
from finetune.data.preparation import Rules
from finetune.scaffold.layout import Layout
from finetune.tasks import price
from finetune.tasks.kinds import kind

# So many of the rows that are set aside are shown.
SHOWN = 5
# With more of its rows set aside than that, a file is not what it was taken for.
MOST_BAD = 0.5


@dataclass(frozen=True)
class Findings:
    """The splits as `prepare` would write them, and the highest fraction of rows set aside."""

    kind: str
    splits: dict[str, Split]
    bad_share: float

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows that would be kept, of all splits."""
        return [row for name in paths.SPLITS for row in self.splits[name].rows]


def check(name: str, layout: Layout, source: TaskSource, kind_name: str, data: Data) -> Findings:
    """Read and check every row the way the pipeline does; nothing is written.

    Raises:
        DataError: `prepare` would find a mistake in any setting, or most rows are bad.
    """
    what = kind(kind_name)
    fetched = sources.fetch("files", str(layout.root), data.embedded, source, what)
    # Through JSON, as `fetch` writes and `prepare` reads them.
    raw = {split: [json.loads(line(row)) for row in rows] for split, rows in fetched.splits.items()}
    for split, rows in raw.items():
        if not rows:
            raise DataError(f"{layout.splits[split]}: holds no rows")
    # All rows may be bad here: what comes of it is told with the rest.
    rules = Rules(1.0, data.test_share, data.validation_share, data.seed)
    splits = preparation.prepare(raw, layout.splits, what, rules)
    for split, file in layout.splits.items():
        bad = splits[split].bad
        if len(bad) > MOST_BAD * len(raw[split]):
            raise DataError(
                f"{file}: {bad[0]['place']}: {bad[0]['reason']}; {len(bad)} of {len(raw[split])} "
                "rows are bad; see --input, --target and --id for other columns"
            )
    preparation.check_rows(name, splits)
    shares = [len(splits[split].bad) / len(raw[split]) for split in raw]
    return Findings(kind_name, splits, max(shares))


def table(findings: Findings) -> str:
    """Counts of each split: those of data.json that are not 0, and what is kept."""
    splits = {
        name: {**split.counts, **({} if name == ALL else {"kept": len(split.rows)})}
        for name, split in findings.splits.items()
    }
    if findings.kind == "price":
        for name in paths.SPLITS:
            prices = [row["price"] for row in findings.splits[name].rows]
            # The model says whole dollars up to here, and higher prices are learned as that.
            above = sum(usd > price.HIGHEST for usd in prices)
            splits[name][f"found_above_{price.HIGHEST}_usd"] = above
    order = [ALL, *paths.SPLITS]
    names = [name for name in order if name in splits]
    counts = dict.fromkeys(count for name in names for count in splits[name])
    counts = [c for c in counts if c != "kept" and any(splits[n].get(c) for n in names)] + ["kept"]
    body = [[c.replace("_", " "), *(splits[n].get(c) for n in names)] for c in counts]
    return tabulate(body, headers=["rows", *names], tablefmt="simple", missingval="")


def set_aside(findings: Findings) -> list[str]:
    """The first rows that break the schema, each with its file, place and reason."""
    bad = [row for split in findings.splits.values() for row in split.bad]
    lines = [f"{row['file']}: {row['place']}: {row['reason']}" for row in bad[:SHOWN]]
    return [*lines, f"… and {len(bad) - SHOWN} more"] if len(bad) > SHOWN else lines


def needed_bad_share(findings: Findings, data: Data) -> float | None:
    """The `data.max_bad_share` that lets these rows pass; None where the setting does."""
    if findings.bad_share <= data.max_bad_share:
        return None
    return math.ceil(100 * findings.bad_share) / 100
