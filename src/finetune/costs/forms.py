"""The forms of a tuned model that are on record, with their scores and their measured speeds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune.core import paths
from finetune.core.files import read_json
from finetune.forms import records
from finetune.forms.entries import HASHES

TUNED = records.ADAPTER
# Half of the last digit of `minutes` in a metric file, which is rounded to two decimals.
HALF_DIGIT = 0.005
Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class Speed:
    """Seconds of the machine that a request takes where many are answered together.

    `low` and `high` are the ends between which it is, None where it was measured once; `how` says
    what was measured.
    """

    seconds: float
    how: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Form:
    """A form of the model; `missing` says why there is no speed.

    scores: the metrics of its answers to the test rows, with intervals and, but for the tuned model
    itself, paired differences to it.
    """

    name: str
    speed: Speed | None
    scores: Metrics = field(default_factory=dict)
    missing: str = ""


def of_task(root: Path, task: str, metrics: Mapping[str, Metrics]) -> tuple[list[Form], list[str]]:
    """The tuned model first, then its forms, and a line on each that is of another adapter.

    `metrics` are the task's metric files by name.
    """
    train = metrics.get("train", {})
    trained = next((train[key] for key in HASHES if key in train), None)
    entries = records.read(root, task)
    stale = [name for name, entry in entries.items() if entry.get("adapter_hash") != trained]
    lines = [f"{name}: left out, as it was measured of another adapter" for name in stale]
    fresh = {name: entry for name, entry in entries.items() if name not in stale}
    tuned = fresh.pop(TUNED, {})
    own = _of_entry(TUNED, tuned)
    if own.speed is None:
        own = _of_predict(root, task, metrics)
    own = Form(TUNED, own.speed, metrics.get(TUNED, {}), own.missing)
    return [own, *(_of_entry(name, entry) for name, entry in fresh.items())], lines


def _of_entry(name: str, entry: Metrics) -> Form:
    """A form by its record."""
    run = entry.get("run", {})
    if rate := run.get("requests_per_second"):
        at_once = run.get("requests_at_once")
        how = f"{rate:g} requests/s" + (f", {at_once} at once" if at_once else " in batches")
        return Form(name, Speed(1 / rate, how), entry)
    if "provider" in run:
        return Form(name, None, entry, "hosted: `--hosted REVISION` puts its price beside")
    return Form(name, None, entry, "its record has no speed")


def _of_predict(root: Path, task: str, metrics: Mapping[str, Metrics]) -> Form:
    """The speed of the stage `predict`, which is rounded, and computes more than answers."""
    file = root / paths.metrics(task, "predict")
    measure = f"`finetune export {task} --form adapter --out DIR` measures it"
    if not file.is_file():
        return Form(TUNED, None, missing=f"{file.name} is not there; {measure}")
    run = read_json(file)[task]["predict"]["run"]
    scores = metrics.get(TUNED, {})
    rows = scores.get("n", 0) + scores.get("validation", {}).get("n", 0)
    minutes = run.get("minutes", 0.0)
    if run.get("engine") == "hosted" or not rows or minutes <= HALF_DIGIT:
        return Form(TUNED, None, missing=f"predict's time is too short to say; {measure}")
    ends = minutes - HALF_DIGIT, minutes, minutes + HALF_DIGIT
    low, middle, high = (60 * each / rows for each in ends)
    how = (
        f"{minutes:g} minutes of predict for {rows} rows, likelihoods included: rather too slow; "
        f"ends are those of rounding; {measure}"
    )
    return Form(TUNED, Speed(middle, how, low, high))
