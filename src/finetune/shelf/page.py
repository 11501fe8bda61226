"""`results/README.md`: what stands on the shelf, and what of it can be told apart.

It is written from the shelf alone. Every sentence holds whichever way the numbers fall. Runs are
told apart by their validation rows, so that writing the page is no look at test.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from tabulate import tabulate

from finetune.comparing import configurations, ranking, runs, verdicts
from finetune.comparing.configurations import SEEDS, Configuration
from finetune.comparing.runs import Run
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import parse_json
from finetune.core.params import new_key
from finetune.core.schema import Bootstrap
from finetune.reporting import tables
from finetune.scoring import baselines, numbers, summary
from finetune.scoring.metrics import Metric
from finetune.shelf import about, reading
from finetune.shelf.about import About
from finetune.tasks import registry

HEAD = """\
# The shelf

Runs whose data may not be in this repository: their parameters, metrics and curves, and the scores
of each row without any text of the data. `finetune shelve NAME` puts a run here, `finetune compare
results/A results/B` compares two by the same rows, and `finetune rank --shelf` ranks all of them.
This page is written by `finetune shelf`, and `make check` fails where it is out of date.
"""
EMPTY = "Nothing is shelved yet."
MISSING = "–"
HAS_LORA = ("lora", "regression_head")  # tuners with the parameters lora.*
# What is said of a method only where it is not this.
UNUSUAL_LORA = {"dora": False, "rslora": False, "init": "kaiming", "bias": "none", "dropout": 0.0}
UNUSUAL_TRAIN = {"epochs": 1.0, "patience": None, "select_by": "loss"}


@dataclass(frozen=True)
class Entry:
    """A task of a shelved run: its test rows, metric files, parameters and description.

    `metrics` are as in `reporting.tables.read`.
    """

    run: Run
    task: str
    about: About
    metrics: dict[str, dict[str, Any]]
    metric: Metric

    @property
    def name(self) -> str:
        """The run's name, linked to its folder."""
        folder = Path(self.run.name).name
        return f"[{folder}]({folder}/)"


def page(root: Path) -> str:
    """The text of the page.

    Raises:
        UserError: a shelved run is damaged, or holds what may not be published.
    """
    names = reading.names(root)
    if not names:
        return f"{HEAD}\n{EMPTY}\n"
    tested, validated = (
        [runs.read(root, name, split) for name in names] for split in ("test", "validation")
    )
    described = {name: about.read(root / name, name) for name in names}
    parts = [HEAD, "Scores are of test rows. – is what is not known.\n"]
    for task in dict.fromkeys(task for run in tested for task in run.kinds):
        parts.append(f"## {task}\n")
        for group in ranking.groups(tested, task):
            entries = [_entry(run, task, described[run.name]) for run in group]
            parts.append(_table(entries) + "\n")
            parts += [f"{line}\n" for line in _sentences(entries, validated)]
    return "\n".join(parts)


def _entry(run: Run, task: str, described: About) -> Entry:
    """The metric files of a run for one task.

    Raises:
        UserError: one is missing.
    """
    metrics: dict[str, dict[str, Any]] = {}
    for name in ("data", "baselines", "base", "train", "tuned"):
        file = paths.metrics(task, name).as_posix()
        if file not in described.files and name in ("data", "baselines"):
            continue
        content = parse_json(run.text(file), f"{run.name}: {file}").get(task, {})
        metrics[name] = content if name == "tuned" else content.get(name, {})
        if name == "base" and content.get("few_shot"):
            metrics["few_shot"] = content["few_shot"]
    return Entry(run, task, described, metrics, ranking.primary(run, task))


def _table(entries: Sequence[Entry]) -> str:
    metric = entries[0].metric
    headers = [
        "run", "base model", "method", "rows (train, validation, test)", "data", "seed",
        f"base, {metric.heading}", f"tuned, {metric.heading}", "gain, paired",
        "best baseline by validation", "minutes", "USD", "hardware",
    ]  # fmt: skip
    rows = [_cells(entry) for entry in entries]
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def _cells(entry: Entry) -> list[str]:
    of, task, metrics = entry.run.params, entry.about.tasks[entry.task], entry.metrics
    gain = metrics["tuned"].get("gain", {}).get(entry.metric.key)
    best = baselines.best(metrics.get("baselines", {}), entry.metric)
    cells = [
        entry.name,
        str(of.get("model.name", MISSING)),
        _method(of, entry.task),
        ", ".join(
            numbers.number(rows, 0)
            for rows in (
                metrics["train"].get("rows"),
                metrics["tuned"].get("validation", {}).get("n"),
                metrics["tuned"].get("n"),
            )
        ),
        str(of.get("data.source", MISSING)),
        str(of.get(f"tasks.{entry.task}.train.seed", of.get("train.seed", MISSING))),
        _score(metrics["base"], entry.metric),
        f"**{_score(metrics['tuned'], entry.metric)}**",
        tables.signed_with_interval(gain) if gain else MISSING,
        f"{best}: {_score(metrics['baselines'][best], entry.metric)}" if best else MISSING,
        _total(task.minutes, 1),
        _total(task.usd, 2),
        task.device or MISSING,
    ]
    # A | would end its cell.
    return [cell.replace("|", "\\|") for cell in cells]


def _total(by_stage: dict[str, float | None], decimals: int) -> str:
    """`0.6 (train only)`: the sum of what is known."""
    known = {stage: value for stage, value in by_stage.items() if value is not None}
    if not known:
        return MISSING
    partly = "" if len(known) == len(by_stage) else f" ({', '.join(known)} only)"
    return f"{sum(known.values()):.{decimals}f}{partly}"


def _method(of: dict[str, object], task: str) -> str:
    """`lora r 16, nf4`: what is tuned, at which precision of the base."""
    tuner = str(of.get("method.tuner", "lora"))
    rank = f" r {of['lora.r']}" if tuner in HAS_LORA and "lora.r" in of else ""
    quantization = of.get("method.quantization", "none")
    precision = "" if quantization == "none" else f", {quantization}"
    rate = of.get(f"tasks.{task}.train.learning_rate")
    keys = {key: f"lora.{key}" for key in UNUSUAL_LORA} if tuner in HAS_LORA else {}
    keys |= {key: f"tasks.{task}.train.{key}" for key in UNUSUAL_TRAIN}
    usual = UNUSUAL_LORA | UNUSUAL_TRAIN
    unusual = [
        f", {key} {of[name]}"
        for key, name in keys.items()
        if of.get(name, usual[key]) != usual[key]
    ]
    return f"{tuner}{rank}{precision}{'' if rate is None else f', rate {rate}'}{''.join(unusual)}"


def _score(scores: dict[str, Any], metric: Metric) -> str:
    if metric.key not in scores:
        return tables.no_answer(scores) or MISSING
    return tables.with_interval(scores, metric.key)


def _sentences(entries: Sequence[Entry], validated: Sequence[Run]) -> Iterator[str]:
    """What the table of one group of comparable runs does not say by itself."""
    options = _bootstrap(entries[0].run)
    level = numbers.percent(options.confidence)
    yield f"{_protocol(entries)} Intervals at {level}."
    yield _about_base(entries)
    if line := _about_baselines(entries, options):
        yield line
    task = entries[0].task
    names = {entry.run.name for entry in entries}
    chosen = [ranking.of_task(run, task) for run in validated if run.name in names]
    for group in ranking.groups(chosen, task):
        if len(group) > 1:
            grouped = configurations.grouped(group, SEEDS)
            yield from _among_each_other(grouped, task, options)
    yield _about_seeds(entries)
    changed = [entry.name for entry in entries if entry.about.code.is_changed]
    if changed:
        yield f"Shelved with code below src/ that differs from the commit: {', '.join(changed)}."
    yield from (f"{entry.name}: {note}" for entry in entries if (note := entry.about.note))


def _bootstrap(run: Run) -> Bootstrap:
    """The level of intervals and the seed of resamples that a run was scored with.

    Raises:
        UserError: its parameters are not those of this version.
    """
    keys = {name: f"bootstrap.{name}" for name in Bootstrap.model_fields}
    values = {name: run.params[key] for name, key in keys.items() if key in run.params}
    try:
        return Bootstrap.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{run.name}: bootstrap.{where}: {first['msg']}") from None


def _protocol(entries: Sequence[Entry]) -> str:
    """How the scores were made, which published figures must share to be compared."""
    protocols: dict[str, list[str]] = {}
    for entry in entries:
        of = entry.metrics["tuned"].get("protocol", {})
        text = ", ".join(
            f"{_present(key, entry.task)} {value}" for key, value in of.items() if value is not None
        )
        protocols.setdefault(text, []).append(entry.name)
    if len(protocols) == 1:
        return f"Protocol: {next(iter(protocols))}."
    parts = (f"{', '.join(names)}: {text}" for text, names in protocols.items())
    return f"Protocols differ. {'; '.join(parts)}."


def _present(key: str, task: str) -> str:
    """The name of an option of the protocol, which may have had another one in earlier versions."""
    for section in ("eval", "score"):
        if new := new_key(f"tasks.{task}.{section}.{key}"):
            return new.rpartition(".")[2]
    return key


def _about_base(entries: Sequence[Entry]) -> str:
    """Which tuned models are better than their base, by the paired interval over test rows."""
    words: dict[str, list[str]] = {}
    for entry in entries:
        gain = entry.metrics["tuned"].get("gain", {}).get(entry.metric.key)
        word = "without a score to compare" if gain is None else _word(gain, entry.metric)
        words.setdefault(word, []).append(entry.name)
    parts = (f"{word}: {', '.join(names)}" for word, names in words.items())
    return f"Tuned against its base, test rows: {'; '.join(parts)}."


def _word(gain: dict[str, float], metric: Metric) -> str:
    if gain["low"] <= 0 <= gain["high"]:
        return "cannot be told apart"
    return "better" if (gain["mean"] > 0) == (metric.higher_is_better is not False) else "worse"


def _about_baselines(entries: Sequence[Entry], options: Bootstrap) -> str:
    """The tuned models against the baseline that validation chose, paired over test rows."""
    parts = []
    for entry in entries:
        best = baselines.best(entry.metrics.get("baselines", {}), entry.metric)
        gain = best and _gain_over(entry, best, options)
        if gain:
            word = _word(gain, entry.metric)
            parts.append(
                f"{entry.name} {word} than {best} ({tables.signed_with_interval(gain)})"
                if word != "cannot be told apart"
                else f"{entry.name} {word} from {best} ({tables.signed_with_interval(gain)})"
            )
    if not parts:
        return ""
    return f"Tuned against the best baseline, paired, test rows: {'; '.join(parts)}."


def _gain_over(entry: Entry, baseline: str, options: Bootstrap) -> dict[str, float] | None:
    """The paired difference tuned - baseline; None where the baseline is not shelved, or silent."""
    try:
        before = entry.run.rows(paths.baselines(entry.task) / f"{baseline}.jsonl")
    except UserError:
        return None
    answered = {row["id"] for row in before}
    after = [row for row in entry.run.predictions[entry.task] if row["id"] in answered]
    before = verdicts.in_order(before, [row["id"] for row in after])
    most = verdicts.max_no_answer(entry.run, entry.task)
    flags = registry.scores(entry.run.kinds[entry.task]).FLAGS
    gain = summary.gain([entry.metric], flags, before, after, options, most)
    return gain.get(entry.metric.key)


def _among_each_other(
    compared: Sequence[Configuration], task: str, options: Bootstrap
) -> Iterator[str]:
    """Which configurations can be told apart by their validation rows."""
    if len(compared) == 1:
        if len(compared[0].runs) > 1:
            yield f"{_linked(compared[0])}: one configuration, its runs differ in the seed alone."
        return
    try:
        best, *others = ranking.rank(compared, task, options)
    except UserError as error:  # too few rows: what is shelved stays as it is
        yield f"Not compared with each other: {error}."
        return
    if best.score is None:
        yield "No model answers often enough to be compared with the others."
        return
    parts = [
        f"By the primary score of {best.rows} validation rows {_linked(best.configuration)} is best"
    ]
    tied = [_linked(each.configuration) for each in others if each.is_tied]
    apart = [each for each in others if each.score and not each.is_tied]
    silent = [_linked(each.configuration) for each in others if not each.score]
    if tied:
        parts.append(f"cannot be told apart from it: {', '.join(tied)}")
    if apart:
        listed = (f"{_linked(e.configuration)} (p {verdicts.p_text(e.p)})" for e in apart)
        parts.append(f"can be told apart from it and are worse: {', '.join(listed)}")
    if silent:
        parts.append(f"answer too rarely: {', '.join(silent)}")
    yield f"{'; '.join(parts)}. P-values are adjusted for all pairs (Westfall-Young)."


def _linked(configuration: Configuration) -> str:
    names = (Path(run.name).name for run in configuration.runs)
    return ", ".join(f"[{name}]({name}/)" for name in names)


def _about_seeds(entries: Sequence[Entry]) -> str:
    grouped = configurations.grouped([ranking.of_task(e.run, e.task) for e in entries], SEEDS)
    singles = [each for each in grouped if len(each.runs) == 1]
    if not singles:
        return "Every configuration was run with several seeds."
    return (
        f"Of one seed each: {', '.join(map(_linked, singles))}. What is said of these is about "
        "these runs: what another seed of training would change is in none of their intervals."
    )
