"""Runs that agree in all but their seeds are one configuration."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune.comparing import runs
from finetune.comparing.experiments import experiments
from finetune.comparing.runs import Run, Split
from finetune.composition import flat, shown
from finetune.core.errors import UserError
from finetune.core.params import UNDECLARED

# Parameters that choose among runs of one configuration. `eval.seed` is none: where decoding is
# greedy it changes nothing, and runs that only repeat each other would count as several.
SEEDS = ("train.seed", "tasks.*.train.seed")
# What a comparison asks, not what was run: a change of it makes no other configuration.
QUESTIONS = ("bootstrap.*", "tasks.*.primary", "tasks.*.guards.*")


@dataclass(frozen=True)
class Configuration:
    """Runs of one configuration; the first is the one that the user named."""

    runs: tuple[Run, ...]

    @property
    def name(self) -> str:
        """The name of its first run."""
        return self.runs[0].name

    @property
    def first(self) -> Run:
        """The run that stands for its parameters."""
        return self.runs[0]

    def runs_of(self, task: str) -> list[Run]:
        """Those that are different runs of a task; a seed of another task leaves it as it is."""
        different: dict[str, list[Run]] = {}
        for run in self.runs:
            same_seed = different.setdefault(repr(run.params.get(f"tasks.{task}.train.seed")), [])
            if all(run.predictions[task] != other.predictions[task] for other in same_seed):
                same_seed.append(run)
        return [run for of in different.values() for run in of]


def noise(compared: Sequence[Run], over: str | None) -> tuple[str, ...]:
    """Patterns of the parameters whose variation is noise: the seeds, or another one.

    Raises:
        UserError: the runs have no such parameter.
    """
    if over is None:
        return SEEDS
    keys = dict.fromkeys(key for run in compared for key in run.params)
    # Of `train.seed`, `data.seed` and `bootstrap.seed`, `seed` means the first.
    for key in (over, f"train.{over}"):
        if key in keys:
            return (key, f"tasks.*.{key}")
    own = [key for key in keys if fnmatch.fnmatchcase(key, f"tasks.*.train.{over}")]
    if not own:
        raise UserError(f"--over {over}: no such parameter; give it in full, such as train.seed")
    return tuple(own)


def grouped(compared: Sequence[Run], patterns: Sequence[str]) -> list[Configuration]:
    """The runs by configuration, in the order of each one's first run, without repeated ones."""
    groups: dict[str, list[Run]] = {}
    for run in compared:
        group = groups.setdefault(_key(run.params, run.code, patterns), [])
        if not any(_is_same(run, other, patterns) for other in group):
            group.append(run)
    return [Configuration(tuple(group)) for group in groups.values()]


def _key(params: dict[str, object], code: frozenset[object], patterns: Sequence[str]) -> str:
    others = {
        key: value
        for key, value in params.items()
        if not matches(key, (*patterns, *QUESTIONS)) and not key.startswith(f"{UNDECLARED}.")
    }
    return repr((sorted(others.items()), sorted(map(repr, code))))


def matches(key: str, patterns: Sequence[str]) -> bool:
    """Whether a key is one of those that the patterns stand for."""
    return any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)


def _is_same(one: Run, other: Run, patterns: Sequence[str]) -> bool:
    """Whether the two are one run under two names."""
    keys = {key for run in (one, other) for key in run.params if matches(key, patterns)}
    return one.predictions == other.predictions and all(
        one.params.get(key) == other.params.get(key) for key in keys
    )


def with_further_seeds(
    root: Path, compared: Sequence[Run], patterns: Sequence[str], split: Split
) -> tuple[list[Run], list[str]]:
    """The runs and all experiments of their configurations; and why some could not be read."""
    keys = {_key(run.params, frozenset(), patterns) for run in compared}
    named = {run.name for run in compared}
    further, problems = list(compared), []
    for each in experiments(root):
        if each.name in named:
            continue
        try:
            if (
                _key(flat(each.params, f"params.yaml of {each.name}"), frozenset(), patterns)
                not in keys
            ):
                continue
            further.append(runs.read(root, each.name, split, each.commit))
        except UserError as error:
            problems.append(str(error))
    # Of other code or data: not of these configurations, for all that their parameters say.
    codes = {(_key(run.params, run.code, patterns)) for run in compared}
    return [run for run in further if _key(run.params, run.code, patterns) in codes], problems


def seeds_line(configuration: Configuration, patterns: Sequence[str] = SEEDS) -> str:
    """`main: 3 runs (train.seed 1, 2, 3)`."""
    in_full = [pattern for pattern in patterns if "*" not in pattern]
    keys = [
        key
        for wanted in (in_full, patterns)
        for key in configuration.first.params
        if matches(key, wanted)
    ]
    count = len(configuration.runs)
    runs_text = f"{configuration.name}: {count} run{'' if count == 1 else 's'}"
    if not keys:
        return runs_text
    values = ", ".join(shown(run.params.get(keys[0])) for run in configuration.runs)
    return f"{runs_text} ({keys[0]} {values})"
