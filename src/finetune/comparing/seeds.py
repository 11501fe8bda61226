"""The spread of scores over runs that differ in one parameter only, such as the seed."""

import fnmatch
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from finetune.comparing.runs import Run
from finetune.comparing.verdicts import lacking
from finetune.composition import shown
from finetune.core.errors import UserError
from finetune.scoring.metrics import Metric
from finetune.tasks import registry

# Scores that differ by rounding only are equal; relative.
TIE = 1e-9


@dataclass(frozen=True)
class Configuration:
    """Runs that agree in all parameters but one; `values` are its values, one for each run."""

    runs: tuple[Run, ...]
    values: tuple[object, ...]

    @property
    def name(self) -> str:
        """The names of its runs, comma-separated."""
        return ", ".join(run.name for run in self.runs)


@dataclass(frozen=True)
class Spread:
    """A score over the runs of a configuration; `sd` is the sample standard deviation or None."""

    task: str
    metric: Metric
    configuration: Configuration
    scores: tuple[float, ...]

    @property
    def score(self) -> str:
        """The metric's key."""
        return self.metric.key

    @property
    def mean(self) -> float:
        return statistics.fmean(self.scores)

    @property
    def sd(self) -> float | None:
        return statistics.stdev(self.scores) if len(self.scores) > 1 else None


@dataclass(frozen=True)
class Difference:
    """The difference of two configurations' mean scores, after - before.

    `margin` is half the width of its confidence interval, by Student's t with pooled variance.
    """

    before: Spread
    after: Spread
    mean: float
    margin: float

    @property
    def is_within_spread(self) -> bool:
        return abs(self.mean) <= self.margin + TIE * abs(self.before.mean)


def parameter(runs: Sequence[Run], name: str) -> str:
    """The full key of a parameter, such as `train.seed` for `seed` or `train.seed`.

    Raises:
        UserError: there is no such parameter, or its value is the same in all runs.
    """
    keys = dict.fromkeys(key for run in runs for key in run.params)
    # Of `train.seed`, `data.seed` and `bootstrap.seed`, `seed` means the first, or a task's own.
    own = [key for key in keys if fnmatch.fnmatchcase(key, f"tasks.*.train.{name}")]
    candidates = [key for key in (name, f"train.{name}", *own) if key in keys]
    differ = [key for key in candidates if len({repr(run.params.get(key)) for run in runs}) > 1]
    key = next(iter([*differ, *candidates]), None)
    if key is None:
        raise UserError(f"--over {name}: no such parameter; give it in full, such as train.seed")
    if len({repr(run.params.get(key)) for run in runs}) < 2:
        value = runs[0].params.get(key)
        raise UserError(
            f"--over {name}: {key} is {shown(value)} in all of them; run it with others first: "
            f"dvc exp run --queue -S '{key}=1,2,3', then dvc queue start"
        )
    return key


def configurations(runs: Sequence[Run], key: str) -> list[Configuration]:
    """The runs, grouped by all other parameters, in the order of each group's first run.

    Raises:
        UserError: two runs of a group have the same value, so are the same run.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        others = {name: value for name, value in run.params.items() if not _is_of(name, key)}
        group = groups.setdefault(repr(sorted(others.items())), [])
        for same in group:
            if same.params.get(key) == run.params.get(key):
                raise UserError(
                    f"{same.name} and {run.name} are one configuration with one {key} "
                    f"({shown(run.params.get(key))}); leave one of them out"
                )
        group.append(run)
    return [
        Configuration(tuple(group), tuple(run.params.get(key) for run in group))
        for group in groups.values()
    ]


def _is_of(name: str, key: str) -> bool:
    """Whether a parameter is `key`, or a task's own that takes `key` of the section `train`."""
    return name == key or (key.startswith("train.") and fnmatch.fnmatchcase(name, f"tasks.*.{key}"))


def spreads(compared: Sequence[Configuration]) -> list[Spread]:
    """A spread for each score of each task that all runs have, and for each configuration.

    Raises:
        UserError: no task is in all runs.
    """
    first, *others = [run for each in compared for run in each.runs]
    tasks = [t for t in first.kinds if not any(t in lacking(first, other) for other in others)]
    if not tasks:
        raise UserError(f"{', '.join(run.name for run in [first, *others])}: no task is in all")
    return [
        Spread(task, metric, each, tuple(metric.score(run.predictions[task]) for run in each.runs))
        for task in tasks
        for metric in registry.scores(first.kinds[task]).METRICS
        if all(
            metric.compares(first.predictions[task], run.predictions[task])
            for run in [first, *others]
        )
        for each in compared
    ]


def differences(all_spreads: Sequence[Spread], confidence: float) -> list[Difference]:
    """Each other configuration compared with the first, score by score.

    The margins are Bonferroni-corrected: `confidence` is that of all intervals together.
    """
    groups = itertools.groupby(all_spreads, key=lambda each: (each.task, each.score))
    pairs = [
        (before, after)
        for before, *others in (list(group) for _, group in groups)
        for after in others
        if len(before.scores) + len(after.scores) > 2
    ]
    corrected = 1 - (1 - confidence) / max(1, len(pairs))
    return [
        Difference(
            before, after, after.mean - before.mean, _margin(before.scores, after.scores, corrected)
        )
        for before, after in pairs
    ]


def _margin(before: Sequence[float], after: Sequence[float], confidence: float) -> float:
    """Half the width of the confidence interval of a difference of means, with pooled variance."""
    freedom = len(before) + len(after) - 2
    squares = sum((len(s) - 1) * statistics.variance(s) for s in (before, after) if len(s) > 1)
    error = (squares / freedom * (1 / len(before) + 1 / len(after))) ** 0.5
    return float(stats.t.ppf(0.5 + confidence / 2, freedom)) * error
