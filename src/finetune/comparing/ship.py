"""`finetune ship REV --against main`: one verdict for a pull request.

SHIP says that a configuration is better than main on some task's primary score, worse on none,
better than the best baseline on all, and not worse on any guard by more than its margin. Each is a
question with an interval, and SHIP needs a yes to every one, so that asking many makes it no easier
(an intersection-union test, Berger 1982). What may be chosen, which task is better, is
Holm-adjusted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from finetune.comparing.configurations import Configuration
from finetune.comparing.runs import Row, Run
from finetune.comparing.verdicts import Comparison, clusters_of, in_order
from finetune.composition import shown
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import parse_json
from finetune.core.schema import Bootstrap
from finetune.scoring import baselines, crossed, forgetting, row_values
from finetune.scoring.intervals import Interval
from finetune.scoring.metrics import Metric, imputed
from finetune.tasks import registry

Word = Literal["SHIP", "DON'T SHIP", "INCONCLUSIVE"]
# 2 is bad input everywhere.
EXIT_CODES: dict[Word, int] = {"SHIP": 0, "DON'T SHIP": 1, "INCONCLUSIVE": 3}
Answer = Literal["yes", "no", "open"]
# The guard that is of general text, and no score of the task.
FORGETTING = "forgetting"
GUARDS = "tasks.{task}.guards."
# Runs of both sides together, that is two degrees of freedom of what seeds do. Two runs against one
# err in 7 and 9 % of 4,000 draws of equal configurations (819 rows, seed sd 0.5 and 1), these in 5.
MIN_RUNS = 4
UNCOMPARABLE = "not measured alike in both, or of too few rows"


@dataclass(frozen=True, kw_only=True)
class Question:
    """Something that must hold; `answer` is open where the interval decides neither way.

    `gain` is how much better the candidate is, positive being better, in the score's unit; None
    where it could not be measured. The answer is yes where the gain is at least -`margin`.
    """

    task: str
    asked: str
    answer: Answer
    gain: Interval | None = None
    margin: float | None = None
    decimals: int = 2
    said: str = ""


@dataclass(frozen=True)
class Decision:
    """The verdict with what it rests on; `missing` says what an open question lacks."""

    word: Word
    why: str
    questions: tuple[Question, ...]
    missing: tuple[str, ...] = ()


def decide(
    main: Configuration,
    candidate: Configuration,
    compared: Sequence[Comparison],
    options: Bootstrap,
    by_cluster: bool = False,
) -> Decision:
    """The verdict on a candidate; `compared` are its judged comparisons with main, by test rows.

    Raises:
        UserError: a guard is of no score, or a file of the revisions is broken.
    """
    primary = {each.task: each for each in compared if each.is_primary}
    asking = _Asking(main, candidate, options, by_cluster)
    questions: list[Question] = []
    for task in main.first.kinds:
        margins = guards(main.first, task)
        if task not in primary:
            questions.append(
                Question(
                    task=task,
                    asked="comparable in its primary score",
                    answer="open",
                    said=UNCOMPARABLE,
                )
            )
            continue
        if is_untouched(main, candidate, task):
            questions += [_untouched(task), _of_untouched(asking, primary.pop(task))]
            continue
        questions.append(against_main(primary[task], margins.get(primary[task].score, 0.0)))
        if not primary[task].is_silent:
            questions.append(_against_baseline(asking, primary[task]))
        questions += _guards(asking, primary[task], margins)
    return verdict(list(primary.values()), questions, _margins_of(primary.values(), main.first))


def _untouched(task: str) -> Question:
    return Question(task=task, asked="as good", answer="yes", said="the same runs")


def _of_untouched(asking: "_Asking", compared: Comparison) -> Question:
    """Whether main itself is better than the best baseline; open where it has no score."""
    if not compared.is_silent:
        return _against_baseline(asking, compared)
    return Question(
        task=compared.task,
        asked=f"better than a baseline in {compared.score}",
        answer="open",
        said=f"no answer {compared.detail}",
    )


def _margins_of(primary: Iterable[Comparison], main: Run) -> dict[str, float]:
    """By how much each task's primary score may get worse."""
    return {each.task: guards(main, each.task).get(each.score, 0.0) for each in primary}


def verdict(
    primary: Sequence[Comparison], questions: Sequence[Question], margins: Mapping[str, float]
) -> Decision:
    """What the answers to all questions come to; `primary` are of the tasks that were touched."""
    asked = tuple(questions)
    differing = [each for each in primary if each.difference.by_row.any()]
    if not differing and not any(each.said == UNCOMPARABLE for each in questions):
        return Decision("DON'T SHIP", "no row differs", asked)
    # Of the sum of squares of one run a side nothing is known; of three runs hardly anything.
    has_seeds = all(sum(each.difference.seeds) >= MIN_RUNS for each in differing)
    refused = [each for each in questions if each.answer == "no"]
    certain = refused if has_seeds else [each for each in refused if each.gain is None]
    if certain:
        why = "; ".join(f"{each.task}: not {each.asked}" for each in certain)
        return Decision("DON'T SHIP", why, asked)
    better = [each.task for each in primary if each.verdict == "better"]
    still_open = [each for each in questions if each.answer == "open"]
    if better and has_seeds and not still_open:
        return Decision("SHIP", f"better on {' and '.join(better)}", asked)
    could_gain = [
        each
        for each in differing
        if not each.is_silent and each.verdict != "better" and gain(each).high > margins[each.task]
    ]
    if not better and has_seeds and not could_gain and not still_open:
        return Decision("DON'T SHIP", "no gain larger than the margin on any task", asked)
    missing = (
        []
        if has_seeds
        else [f"seeds: fewer than {MIN_RUNS} runs of both together do not show what seeds do"]
    )
    if has_seeds and not better:
        missing += [_missing(each) for each in could_gain]
    missing += [f"{each.task}: whether it is {each.asked}" for each in still_open]
    why = "not enough to tell" if has_seeds else "not enough seeds to tell"
    return Decision("INCONCLUSIVE", why, asked, tuple(dict.fromkeys(missing)))


def is_untouched(main: Configuration, candidate: Configuration, task: str) -> bool:
    """Whether the candidate's runs of a task are main's own: its change was to another one.

    What seeds do to scores then is no noise of the difference, which is zero for certain.
    """
    before, after = (
        {run.digest(task).predictions for run in configuration.runs_of(task)}
        for configuration in (main, candidate)
    )
    return after <= before


def gain(compared: Comparison) -> Interval:
    """How much better the candidate is than main, positive being better."""
    return _as_gain(compared.interval, compared.metric.higher_is_better)


def _as_gain(difference: Interval, higher_is_better: bool | None) -> Interval:
    if higher_is_better:
        return difference
    return Interval(-difference.mean, -difference.high, -difference.low)


def _missing(compared: Comparison) -> str:
    """Which of the two sources of noise hides a difference."""
    if compared.detectable is None:
        return f"rows: {compared.task} {compared.score} has {compared.n}, which all differ alike"
    seed, row = compared.difference.seed_variance, compared.difference.row_variance
    what = "rows" if seed is not None and row >= seed else "seeds"
    decimals = max(2, compared.metric.decimals)
    return (
        f"{what}: {compared.task} {compared.score} would show a difference of "
        f"{compared.detectable:.{decimals}f} in 80 % of cases with {compared.n} rows and "
        f"{compared.difference.seeds[0]} and {compared.difference.seeds[1]} seeds; most of the "
        f"noise is that of {what}"
    )


def against_main(compared: Comparison, margin: float) -> Question:
    """Whether the primary score is not worse than main's by more than the margin."""
    if compared.is_silent:
        is_candidate = compared.unanswered[1] >= compared.unanswered[0]
        return Question(
            task=compared.task,
            asked=f"comparable in {compared.score}",
            answer="no" if is_candidate else "open",
            said=f"no answer {compared.detail}",
        )
    if not compared.difference.by_row.any():
        return Question(
            task=compared.task,
            asked=f"as good in {compared.score}",
            answer="yes",
            said="no row differs",
        )
    question = _within(
        compared.task, compared.score, gain(compared), margin, max(2, compared.metric.decimals)
    )
    answer: Answer = "yes" if compared.verdict == "better" else question.answer
    return replace(question, answer=answer, said=compared.verdict)


@dataclass(frozen=True)
class _Asking:
    """What all questions about a candidate need."""

    main: Configuration
    candidate: Configuration
    options: Bootstrap
    by_cluster: bool

    def values(
        self, configuration: Configuration, task: str, metric: Metric, ids: Sequence[str]
    ) -> np.ndarray:
        """Row values [seeds, rows], or those of clusters of rows."""
        sides = [in_order(run.predictions[task], ids) for run in configuration.runs_of(task)]
        return self.clustered(
            task, ids, np.stack([metric.row_values(rows, self.options) for rows in sides])
        )

    def clustered(self, task: str, ids: Sequence[str], values: np.ndarray) -> np.ndarray:
        """Row values [..., rows] by cluster, where that is asked for."""
        if not self.by_cluster:
            return values
        rows = in_order(self.main.first.predictions[task], ids)
        return row_values.by_cluster(values, clusters_of(rows, task))


def _against_baseline(asking: _Asking, compared: Comparison) -> Question:
    """Whether the primary score is better than that of the baseline that validation chose.

    A baseline has no seeds. What they do to the candidate is estimated from main's runs as well.
    """
    task, metric = compared.task, compared.metric
    best = _best_baseline((asking.main.first, asking.candidate.first), task, metric)
    if best is None:
        return Question(
            task=task, asked="better than a baseline", answer="open", said="no baseline was run"
        )
    name, rows = best
    baseline = {row["id"]: row for row in rows}
    flags = registry.scores(asking.main.first.kinds[task]).FLAGS
    sides = [
        run.predictions[task]
        for configuration in (asking.main, asking.candidate)
        for run in configuration.runs_of(task)
    ]
    left_out = {row["id"] for side in sides for row in side if imputed(flags, row)}
    ids = [row["id"] for row in sides[0] if row["id"] in baseline and row["id"] not in left_out]
    if not ids:
        raise UserError(f"{asking.main.name}: {task}: baseline {name} has no row of the test rows")
    before = metric.row_values([baseline[each] for each in ids], asking.options)[None]
    difference = crossed.difference(
        asking.clustered(task, ids, before),
        asking.values(asking.candidate, task, metric, ids),
        metric.is_rate,
        is_fixed=True,
        alike=asking.values(asking.main, task, metric, ids),
    )
    interval = _as_gain(difference.interval(asking.options.confidence), metric.higher_is_better)
    return Question(
        task=task,
        asked=f"better than the best baseline, {name}, in {metric.key}",
        answer="yes" if interval.low > 0 else "no" if interval.high < 0 else "open",
        gain=interval,
        margin=0.0,
        decimals=max(2, metric.decimals),
    )


def _best_baseline(sides: Sequence[Run], task: str, metric: Metric) -> tuple[str, list[Row]] | None:
    """The best baseline of both revisions by validation rows, with its scored test rows.

    Of both: a change that breaks a baseline is none that beats it. None where none was run.

    Raises:
        UserError: its predictions are in no cache.
    """
    known: dict[tuple[int, str], dict[str, Any]] = {}
    file = paths.metrics(task, "baselines").as_posix()
    for number, run in enumerate(sides):
        of_run = parse_json(run.text(file), f"{run.name}: {file}").get(task, {})
        known |= {(number, name): of for name, of in of_run.get("baselines", {}).items()}
    best = baselines.best(known, metric)
    if best is None:
        return None
    run, name = sides[best[0]], best[1]
    return name, run.rows(paths.baselines(task) / f"{name}.jsonl")


def guards(run: Run, task: str) -> dict[str, float]:
    """A task's guards: by how much each may get worse, in the unit of the score.

    Raises:
        UserError: a margin is no number.
    """
    prefix = GUARDS.format(task=task)
    margins: dict[str, float] = {}
    for key, margin in run.params.items():
        if key.startswith(prefix):
            if isinstance(margin, bool) or not isinstance(margin, int | float):
                raise UserError(f"{run.name}: {key}: is {shown(margin)}, must be a number")
            margins[key.removeprefix(prefix)] = float(margin)
    return margins


def _guards(
    asking: _Asking, primary: Comparison, margins: Mapping[str, float]
) -> Iterator[Question]:
    others = {key: margin for key, margin in margins.items() if key != primary.score}
    if not others:
        yield Question(
            task=primary.task,
            asked="as good in what else matters",
            answer="open",
            said=f"no guards are declared in tasks.{primary.task}.guards",
        )
    for key, margin in others.items():
        if key == FORGETTING:
            yield _forgetting(asking, primary.task, margin)
        else:
            yield _guard(asking, primary.task, key, margin)


def _guard(asking: _Asking, task: str, key: str, margin: float) -> Question:
    main = asking.main.first
    metric = guard_metric(main.kinds[task], key)
    if metric is None:
        raise UserError(
            f"tasks.{task}.guards.{key}: is no score of the kind {main.kinds[task]} of which more "
            "is better or worse, and no flag with _rate behind it; `finetune kinds` lists them"
        )
    sides = [
        run.predictions[task]
        for configuration in (asking.main, asking.candidate)
        for run in configuration.runs_of(task)
    ]
    if not all(metric.compares(sides[0], rows) for rows in sides):
        return Question(
            task=task,
            asked=f"as good in {key}",
            answer="open",
            said="not measured alike in every run",
        )
    ids = [row["id"] for row in main.predictions[task]]
    before, after = (
        asking.values(configuration, task, metric, ids)
        for configuration in (asking.main, asking.candidate)
    )
    difference = crossed.difference(before, after, metric.is_rate)
    interval = _as_gain(difference.interval(asking.options.confidence), metric.higher_is_better)
    return _within(task, key, interval, margin, max(2, metric.decimals))


def guard_metric(kind: str, key: str) -> Metric | None:
    """The score, or the rate of a flag, that a guard is of; None where the kind has neither."""
    scores = registry.scores(kind)
    known = [metric for metric in scores.METRICS if metric.higher_is_better is not None]
    return next(
        (m for m in (*known, *(flag.metric() for flag in scores.FLAGS)) if m.key == key), None
    )


def _forgetting(asking: _Asking, task: str, margin: float) -> Question:
    """Whether general text is as likely as to main's model; in bits per byte, item by item."""
    asked = "as good in general text (bits per byte)"
    try:
        sides = [
            [_general(run, task) for run in configuration.runs_of(task)]
            for configuration in (asking.main, asking.candidate)
        ]
    except UserError as error:
        return Question(task=task, asked=asked, answer="open", said=str(error))
    if not all(rows for side in sides for rows in side):
        said = "not measured: a hosted model gives no likelihoods"
        return Question(task=task, asked=asked, answer="open", said=said)
    if len({forgetting.items(rows) for side in sides for rows in side}) > 1:
        return Question(task=task, asked=asked, answer="open", said="measured on other texts")
    before, after = (np.array([forgetting.bits(rows) for rows in side]) for side in sides)
    difference = crossed.difference(before, after)
    interval = _as_gain(difference.interval(asking.options.confidence), higher_is_better=False)
    return _within(task, "general text (bits per byte)", interval, margin, 3)


def _general(run: Run, task: str) -> list[Row]:
    return run.rows(paths.general(task, "tuned"))


def _within(task: str, what: str, interval: Interval, margin: float, decimals: int) -> Question:
    answer: Answer = "open"
    if interval.low >= -margin:
        answer = "yes"
    elif interval.high < -margin:
        answer = "no"
    return Question(
        task=task,
        asked=f"as good in {what}",
        answer=answer,
        gain=interval,
        margin=margin,
        decimals=decimals,
    )
