"""How much of a difference is luck: runs of one configuration that differ in one parameter only."""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from finetune.comparing.runs import Run
from finetune.comparing.verdicts import lacking
from finetune.composition import shown
from finetune.core.errors import UserError
from finetune.tasks.scores import METRICS, Metric

# Scores that floating point alone keeps apart are the same.
TIE = 1e-9


@dataclass(frozen=True)
class Configuration:
    """Runs that agree in all parameters but one; `values` are those of that one, run by run."""

    runs: tuple[Run, ...]
    values: tuple[object, ...]

    @property
    def name(self) -> str:
        """The names of its runs."""
        return ", ".join(run.name for run in self.runs)


@dataclass(frozen=True)
class Spread:
    """A score over the runs of a configuration; `sd` is the sample's, None for a single run."""

    task: str
    score: str
    configuration: Configuration
    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.scores)

    @property
    def sd(self) -> float | None:
        return statistics.stdev(self.scores) if len(self.scores) > 1 else None


@dataclass(frozen=True)
class Difference:
    """The difference of two configurations' means, and what the spread alone could make of it.

    `margin` is half the interval of the difference from the pooled spread (Student's t).
    """

    before: Spread
    after: Spread
    mean: float
    margin: float

    @property
    def is_within_spread(self) -> bool:
        return abs(self.mean) <= self.margin + TIE * abs(self.before.mean)


def parameter(runs: Sequence[Run], name: str) -> str:
    """The full key of a parameter that the user named in short, such as `seed` or `train.seed`.

    Raises:
        UserError: there is none, or it is the same in all runs.
    """
    keys = dict.fromkeys(key for run in runs for key in run.params)
    # Of `train.seed`, `data.seed` and `bootstrap.seed`, a run's luck is the one of training.
    candidates = [name, f"train.{name}"]
    key = next((key for key in candidates if key in keys), None)
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
    """The runs, grouped by all other parameters, in the order in which they come first.

    Raises:
        UserError: two of a group have one value: the same run twice says nothing of the spread.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        others = {name: value for name, value in run.params.items() if name != key}
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


def spreads(found: Sequence[Configuration]) -> list[Spread]:
    """Each score of each task that all runs have, for each configuration.

    Raises:
        UserError: there is no such task.
    """
    first, *others = [run for each in found for run in each.runs]
    tasks = [t for t in first.kinds if not any(t in lacking(first, other) for other in others)]
    if not tasks:
        raise UserError(f"{', '.join(run.name for run in [first, *others])}: no task is in all")
    return [
        Spread(task, score, each, tuple(_score(run, task, metric) for run in each.runs))
        for task in tasks
        for score, metric in METRICS[first.kinds[task]].items()
        if all(
            metric.compares(first.predictions[task], run.predictions[task])
            for run in [first, *others]
        )
        for each in found
    ]


def differences(found: Sequence[Spread], confidence: float) -> list[Difference]:
    """Every other configuration against the first, score by score.

    The margins hold together: with `confidence` none of them is passed by luck (Bonferroni).
    """
    groups = itertools.groupby(found, key=lambda each: (each.task, each.score))
    pairs = [
        (before, after)
        for before, *others in (list(group) for _, group in groups)
        for after in others
        if len(before.scores) + len(after.scores) > 2
    ]
    single = 1 - (1 - confidence) / max(1, len(pairs))
    return [
        Difference(
            before, after, after.mean - before.mean, _margin(before.scores, after.scores, single)
        )
        for before, after in pairs
    ]


def _margin(before: Sequence[float], after: Sequence[float], confidence: float) -> float:
    """Half of the interval of the difference of means, both with one variance."""
    freedom = len(before) + len(after) - 2
    squares = sum((len(s) - 1) * statistics.variance(s) for s in (before, after) if len(s) > 1)
    error = (squares / freedom * (1 / len(before) + 1 / len(after))) ** 0.5
    return float(stats.t.ppf(0.5 + confidence / 2, freedom)) * error


def _score(run: Run, task: str, metric: Metric) -> float:
    columns = map(np.asarray, metric.values(run.predictions[task]))
    return float(metric.statistic(*columns, axis=-1))
