"""Runs that agree in all but their seeds are one configuration."""

import fnmatch
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from finetune.comparing import runs
from finetune.comparing.experiments import experiments
from finetune.comparing.runs import Run, Split
from finetune.composition import shown
from finetune.core.errors import UserError
from finetune.core.params import UNDECLARED, is_composed
from finetune.shelf import reading

log = logging.getLogger(__name__)
# Parameters that choose among runs of one configuration. `eval.seed` is none: where decoding is
# greedy it changes nothing, and runs that only repeat each other would count as several.
SEEDS = ("train.seed", "tasks.*.train.seed")
# What a comparison asks, and what it is held against, and what a run fails above: a change of it
# makes no other configuration.
QUESTIONS = (
    "bootstrap.*", "data.max_truncated", "tasks.*.primary", "tasks.*.guards.*", "tasks.*.baselines",
    "tasks.*.published",
)  # fmt: skip


@dataclass(frozen=True)
class Configuration:
    """Runs of one configuration; the first is the one that the user named.

    `noise` are patterns of the parameters in which they may differ.
    """

    runs: tuple[Run, ...]
    noise: tuple[str, ...] = SEEDS

    @property
    def name(self) -> str:
        """The name of its first run."""
        return self.runs[0].name

    @property
    def first(self) -> Run:
        """The run that stands for its parameters."""
        return self.runs[0]

    def runs_of(self, task: str) -> list[Run]:
        """One run for each seed of a task; a seed of another task leaves it as it is."""
        by_seed: dict[str, Run] = {}
        for run in self.runs:
            by_seed.setdefault(repr(_noise_of(run, task, self.noise)), run)
        return list(by_seed.values())


def _noise_of(run: Run, task: str, patterns: Sequence[str]) -> dict[str, object]:
    """The values by which runs of a task differ; the section `train` is but their template."""
    return {
        key: value
        for key, value in run.params.items()
        if matches(key, patterns)
        and not (key.startswith("tasks.") and not key.startswith(f"tasks.{task}."))
        and not (key.startswith("train.") and f"tasks.{task}.{key}" in run.params)
    }


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


def grouped(compared: Sequence[Run], patterns: tuple[str, ...]) -> list[Configuration]:
    """The runs by configuration, in the order of each one's first run, one for each seed.

    Of several runs with one seed the first is kept: what tells them apart, such as the order in
    which a GPU adds up, is not what another seed does.
    """
    groups: dict[str, dict[str, Run]] = {}
    for run in compared:
        group = groups.setdefault(_key(run.params, run.code, patterns), {})
        seed = {key: value for key, value in run.params.items() if matches(key, patterns)}
        kept = group.setdefault(repr(sorted(seed.items())), run)
        if not kept.predicts_as(run):
            log.warning(f"left out: {run.name} has the seed of {kept.name}")
    return [Configuration(tuple(group.values()), patterns) for group in groups.values()]


def _key(params: dict[str, object], code: frozenset[object], patterns: Sequence[str]) -> str:
    others = {
        key: value
        for key, value in params.items()
        if not matches(key, (*patterns, *QUESTIONS))
        and not key.startswith(f"{UNDECLARED}.")
        and not is_composed(key)
    }
    return repr((sorted(others.items()), sorted(map(repr, code))))


def matches(key: str, patterns: Sequence[str]) -> bool:
    """Whether a key is one of those that the patterns stand for."""
    return any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)


def with_further_seeds(
    root: Path, compared: Sequence[Run], patterns: Sequence[str], split: Split
) -> tuple[list[Run], list[str]]:
    """The runs, and all experiments and shelved runs of their configurations.

    Also why some could not be read.
    """
    keys = {_key(run.params, frozenset(), patterns) for run in compared}
    named = {run.name for run in compared}
    further, problems = list(compared), []
    for name, commit, text_of in _candidates(root):
        if name in named:
            continue
        try:
            params = runs.params_of(name, text_of())[0]
            if _key(params, frozenset(), patterns) in keys:
                further.append(runs.read(root, name, split, commit))
        except UserError as error:
            problems.append(str(error))
    codes = {_key(run.params, run.code, patterns) for run in compared}
    kept = []
    for run in further:
        if _key(run.params, run.code, patterns) in codes:
            kept.append(run)
        else:
            problems.append(f"{run.name} has these parameters, but was run with other code or data")
    return kept, problems


def _candidates(root: Path) -> Iterator[tuple[str, str | None, Callable[[], str]]]:
    """Name, commit and params.yaml of each experiment and of each shelved run."""
    for each in experiments(root):
        yield each.name, each.commit, partial(str, each.params)
    for name in reading.names(root):
        yield name, None, partial(_shelved_params, root, name)


def _shelved_params(root: Path, name: str) -> str:
    source, _ = reading.source(root / name, name)
    return source.text("params.yaml")


def seeds_line(configuration: Configuration) -> str:
    """`main: 3 runs (train.seed 1, 2, 3)`."""
    in_full = [pattern for pattern in configuration.noise if "*" not in pattern]
    keys = [
        key
        for wanted in (in_full, configuration.noise)
        for key in configuration.first.params
        if matches(key, wanted)
    ]
    count = len(configuration.runs)
    line = f"{configuration.name}: {count} run{'' if count == 1 else 's'}"
    if not keys:
        return line
    values = ", ".join(shown(run.params.get(keys[0])) for run in configuration.runs)
    return f"{line} ({keys[0]} {values})"
