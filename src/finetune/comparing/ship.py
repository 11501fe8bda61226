"""`finetune ship REV --against main`: one verdict for a pull request.

SHIP says that a configuration is better than main on some task's primary score, worse on none,
better than the best baseline on all, and not worse on any guard by more than its margin. Each is a
question with an interval, and SHIP needs a yes to every one, so that asking many makes it no easier
(an intersection-union test, Berger 1982). What may be chosen, which task is better, is
Holm-adjusted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from finetune.comparing import runs
from finetune.comparing.configurations import Configuration
from finetune.comparing.runs import Row, Run
from finetune.comparing.verdicts import Comparison, in_order
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import parse_json
from finetune.core.schema import Bootstrap
from finetune.scoring import crossed, forgetting
from finetune.scoring.intervals import Interval
from finetune.scoring.metrics import Metric
from finetune.tasks import registry

Word = Literal["SHIP", "DON'T SHIP", "INCONCLUSIVE"]
# 2 is bad input everywhere.
EXIT_CODES: dict[Word, int] = {"SHIP": 0, "DON'T SHIP": 1, "INCONCLUSIVE": 3}
Answer = Literal["yes", "no", "open"]
# The guard that is of general text, and no score of the task.
FORGETTING = "forgetting"
GUARDS = "tasks.{task}.guards."


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
) -> Decision:
    """The verdict on a candidate; `compared` are its judged comparisons with main, by test rows.

    Raises:
        UserError: a guard is of no score, or a file of the revisions is broken.
    """
    primary = [each for each in compared if each.is_primary]
    by_task: dict[str, list[Question]] = {}
    for each in primary:
        margins = guards(main.first, each.task)
        if is_untouched(main, candidate, each.task):
            by_task[each.task] = [
                _untouched(each.task),
                _against_baseline(candidate, each, options),
            ]
            continue
        by_task[each.task] = [
            against_main(each, margins.get(each.score, 0.0)),
            _against_baseline(candidate, each, options),
            *_guards(main, candidate, each, margins, options),
        ]
    questions = [question for of_task in by_task.values() for question in of_task]
    return verdict(primary, questions, {t: guards(main.first, t) for t in by_task})


def verdict(
    primary: Sequence[Comparison],
    questions: Sequence[Question],
    margins: Mapping[str, Mapping[str, float]],
) -> Decision:
    """What comparisons with main and the answers to all questions come to."""
    asked = tuple(questions)
    if not any(each.difference.by_row.any() for each in primary):
        return Decision("DON'T SHIP", "no row differs from main's", asked)
    refused = [each for each in questions if each.answer == "no"]
    if refused:
        why = "; ".join(f"{each.task}: not {each.asked}" for each in refused)
        return Decision("DON'T SHIP", why, asked)
    better = [each.task for each in primary if each.verdict == "better"]
    still_open = [each for each in questions if each.answer == "open"]
    has_seeds = all(
        sum(each.difference.seeds) > 2 for each in primary if each.difference.by_row.any()
    )
    if better and has_seeds and not still_open:
        return Decision("SHIP", f"better on {' and '.join(better)}", asked)
    could_gain = [
        each
        for each in primary
        if each.verdict != "better"
        and each.difference.by_row.any()
        and gain(each).high > margins[each.task].get(each.score, 0.0)
    ]
    if not better and has_seeds and not could_gain:
        return Decision("DON'T SHIP", "no gain larger than the margin on any task", asked)
    missing = [] if has_seeds else ["seeds: one run a side does not show what another seed does"]
    wanting = could_gain if not better else []
    missing += [_missing(each) for each in wanting if has_seeds]
    missing += [f"{each.task}: whether it is {each.asked}" for each in still_open]
    return Decision("INCONCLUSIVE", "not enough to tell", asked, tuple(dict.fromkeys(missing)))


def is_untouched(main: Configuration, candidate: Configuration, task: str) -> bool:
    """Whether the candidate's runs of a task are main's own: its change was to another one.

    What seeds do to scores then is no noise of the difference, which is zero for certain.
    """
    before, after = (
        [run.predictions[task] for run in configuration.runs_of(task)]
        for configuration in (main, candidate)
    )
    return len(before) == len(after) and all(rows in after for rows in before)


def _untouched(task: str) -> Question:
    return Question(
        task=task, asked="as good as main", answer="yes", said="the same predictions as main's"
    )


def gain(compared: Comparison) -> Interval:
    """How much better the candidate is than main, positive being better."""
    return _as_gain(compared.interval, compared.metric.higher_is_better)


def _as_gain(difference: Interval, higher_is_better: bool | None) -> Interval:
    if higher_is_better:
        return difference
    return Interval(-difference.mean, -difference.high, -difference.low)


def _missing(compared: Comparison) -> str:
    """Which of the two sources of noise hides a difference."""
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
    """Whether the primary score is not worse than main's."""
    decimals = max(2, compared.metric.decimals)
    if compared.is_silent:
        silent = compared.unanswered[1] >= compared.unanswered[0]
        return Question(
            task=compared.task,
            asked=f"comparable with main in {compared.score}",
            answer="no" if silent else "open",
            said=f"no answer {compared.detail}",
        )
    interval = gain(compared)
    answer: Answer = "open"
    if compared.verdict == "better" or interval.low >= -margin:
        answer = "yes"
    if compared.verdict == "worse":
        answer = "no"
    return Question(
        task=compared.task,
        asked=f"as good as main in {compared.score}",
        answer=answer,
        gain=interval,
        margin=margin,
        decimals=decimals,
        said=compared.verdict,
    )


def _against_baseline(
    candidate: Configuration, compared: Comparison, options: Bootstrap
) -> Question:
    """Whether the primary score is better than that of the baseline that validation chose."""
    task, metric = compared.task, compared.metric
    best = best_baseline(candidate.first, task, metric)
    if best is None:
        return Question(
            task=task, asked="better than a baseline", answer="open", said="no baseline was run"
        )
    name, rows = best
    by_id = {row["id"]: row for row in rows}
    side = candidate.runs_of(task)
    ids = [row["id"] for row in side[0].predictions[task] if row["id"] in by_id]
    after = np.stack(
        [metric.row_values(in_order(run.predictions[task], ids), options) for run in side]
    )
    before = metric.row_values([by_id[each] for each in ids], options)[None]
    found = crossed.difference(before, after, metric.is_rate, is_fixed=True)
    interval = _as_gain(found.interval(options.confidence), metric.higher_is_better)
    return Question(
        task=task,
        asked=f"better than the best baseline, {name}, in {metric.key}",
        answer="yes" if interval.low > 0 else "no" if interval.high < 0 else "open",
        gain=interval,
        margin=0.0,
        decimals=max(2, metric.decimals),
    )


def best_baseline(run: Run, task: str, metric: Metric) -> tuple[str, list[Row]] | None:
    """The best baseline by validation rows, with its scored test rows; None where there is none.

    Raises:
        UserError: its predictions are in no cache.
    """
    file = paths.metrics(task, "baselines").as_posix()
    metrics = parse_json(run.text(file), f"{run.name}: {file}")[task]["baselines"]
    scores = {
        name: of["validation"][metric.key]
        for name, of in metrics.items()
        if not of.get("protocol", {}).get("oracle") and metric.key in of.get("validation", {})
    }
    if not scores:
        return None
    name = (max if metric.higher_is_better else min)(scores, key=lambda each: scores[each])
    path = (paths.baselines(task) / f"{name}.jsonl").as_posix()
    return name, runs.parse_jsonl(run.text(path), f"{run.name}: {path}")


def guards(run: Run, task: str) -> dict[str, float]:
    """A task's guards: by how much each may get worse, in the unit of the score."""
    prefix = GUARDS.format(task=task)
    return {
        key.removeprefix(prefix): float(str(margin))
        for key, margin in run.params.items()
        if key.startswith(prefix)
    }


def _guards(
    main: Configuration,
    candidate: Configuration,
    primary: Comparison,
    margins: Mapping[str, float],
    options: Bootstrap,
) -> Iterator[Question]:
    for key, margin in margins.items():
        if key == primary.score:
            continue
        if key == FORGETTING:
            yield _forgetting(main, candidate, primary.task, margin, options)
        else:
            yield _guard(main, candidate, primary.task, key, margin, options)


def _guard(
    main: Configuration,
    candidate: Configuration,
    task: str,
    key: str,
    margin: float,
    options: Bootstrap,
) -> Question:
    metric = guard_metric(main.first.kinds[task], key)
    if metric is None:
        raise UserError(
            f"tasks.{task}.guards.{key}: is no score of the kind {main.first.kinds[task]}, and no "
            "flag with _rate behind it; `finetune kinds` lists them"
        )
    ids = [row["id"] for row in main.first.predictions[task]]
    sides = [
        [in_order(run.predictions[task], ids) for run in configuration.runs_of(task)]
        for configuration in (main, candidate)
    ]
    if not all(metric.is_of(rows) for side in sides for rows in side):
        return Question(
            task=task,
            asked=f"as good as main in {key}",
            answer="open",
            said="not measured in every run",
        )
    before, after = (
        np.stack([metric.row_values(rows, options) for rows in side]) for side in sides
    )
    found = crossed.difference(before, after, metric.is_rate)
    interval = _as_gain(found.interval(options.confidence), metric.higher_is_better)
    return _within(task, key, interval, margin, max(2, metric.decimals))


def guard_metric(kind: str, key: str) -> Metric | None:
    """The score, or the rate of a flag, that a guard is of; None where the kind has neither."""
    scores = registry.scores(kind)
    rates = [flag.metric() for flag in scores.FLAGS]
    return next((m for m in (*scores.METRICS, *rates) if m.key == key), None)


def _forgetting(
    main: Configuration, candidate: Configuration, task: str, margin: float, options: Bootstrap
) -> Question:
    """Whether general text is as likely as to main's model; in bits per byte, item by item."""
    asked = "as good as main in general text (bits per byte)"
    try:
        before, after = (
            np.stack([_general(run, task) for run in configuration.runs_of(task)])
            for configuration in (main, candidate)
        )
    except UserError as error:
        return Question(task=task, asked=asked, answer="open", said=str(error))
    found = crossed.difference(before, after)
    interval = _as_gain(found.interval(options.confidence), higher_is_better=False)
    return _within(task, "general text (bits per byte)", interval, margin, 3)


def _general(run: Run, task: str) -> np.ndarray:
    path = paths.general(task, "tuned").as_posix()
    return np.array(forgetting.bits(runs.parse_jsonl(run.text(path), f"{run.name}: {path}")))


def _within(task: str, what: str, interval: Interval, margin: float, decimals: int) -> Question:
    answer: Answer = "open"
    if interval.low >= -margin:
        answer = "yes"
    elif interval.high < -margin:
        answer = "no"
    return Question(
        task=task,
        asked=f"as good as main in {what}",
        answer=answer,
        gain=interval,
        margin=margin,
        decimals=decimals,
    )
