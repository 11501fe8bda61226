"""What went into a run: data, truncations, parameters, hashes, versions, hardware, time, cost."""

import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.core.files import sha256
from finetune.core.paths import without_folders
from finetune.core.schema import Model
from finetune.reporting.material import Material
from finetune.reporting.numbers import number, share, usd
from finetune.reporting.tables import Metrics

PACKAGES = (
    "dvc", "torch", "transformers", "peft", "bitsandbytes", "accelerate", "safetensors",
    "tokenizers", "datasets", "rouge-score", "scikit-learn", "numpy", "scipy", "matplotlib",
)  # fmt: skip
# What a key alone does not say.
TITLES = {
    "rows": "training rows",
    "best_step": "kept step",
    "train_loss": "training loss, last logged batches",
    "minutes": "minutes of training",
    "peak_memory_gb": "peak memory (GB)",
}


@dataclass(frozen=True)
class Table:
    """Cells as texts, the first of each row its heading."""

    head: list[str]
    rows: list[list[str]]


Facts = list[tuple[str, str]]


def counts(data: Metrics) -> Table:
    """Every count of every split."""
    names = list(dict.fromkeys(name for split in data.values() for name in split))
    rows = [
        [name.replace("_", " "), *(number(split.get(name), 0) for split in data.values())]
        for name in names
    ]
    return Table(["rows", *data], rows)


def dropped(data: Metrics) -> str:
    """What was left out on the way, in a sentence."""
    if not data:
        return "No counts of the data were written."
    rows, kept = (sum(split.get(key, 0) for split in data.values()) for key in ("rows", "kept"))
    if kept >= rows:
        splits = ", ".join(
            f"{name} {number(s['kept'], 0)}" for name, s in data.items() if "kept" in s
        )
        return f"All {number(rows, 0)} rows were kept: {splits}."
    reasons: dict[str, int] = {}
    for split in data.values():
        for name, count in split.items():
            if count and (name.startswith("dropped_") or name == "set_aside"):
                reason = name.removeprefix("dropped_").replace("_", " ")
                reasons[reason] = reasons.get(reason, 0) + count
    rest = rows - kept - sum(reasons.values())
    if rest > 0:
        reasons["beyond data.limit"] = rest
    told = ", ".join(f"{name} {number(count, 0)}" for name, count in reasons.items())
    return f"{share(rows - kept, rows)} rows were left out: {told}."


def tokens(train: Metrics) -> str:
    """How long the training rows are in the model's tokens, in a sentence; empty if unknown."""
    parts = [
        f"{label} {number(train[f'{key}_tokens_mean'], 1)} (at most "
        f"{number(train[f'{key}_tokens_max'], 0)})"
        for key, label in (("prompt", "a prompt"), ("completion", "an answer"))
        if f"{key}_tokens_mean" in train
    ]
    return f"In the model's tokens, on average: {', '.join(parts)}." if parts else ""


def flags(metrics: Mapping[str, Metrics]) -> Table:
    """How often each thing went wrong: every whole number of a model's metrics but that of rows."""
    models = {
        label: metrics[name]
        for name, label in (("base", "base model"), ("few_shot", "base, few-shot"),
                            ("tuned", "tuned"))
        if metrics.get(name)
    }  # fmt: skip
    names = dict.fromkeys(
        name
        for scores in models.values()
        for name, value in scores.items()
        if isinstance(value, int) and not isinstance(value, bool) and name != "n"
    )
    rows = [
        [
            name.replace("_", " "),
            *(
                "–"
                if name not in scores
                else share(scores[name], scores.get("n", 0))
                if scores[name]
                else "0"
                for scores in models.values()
            ),
        ]
        for name in names
    ]
    return Table(["rows with", *models], rows)


def training(train: Metrics, usd_per_hour: float | None) -> Facts:
    """Steps, truncations, hardware, time and cost of a run."""
    run = train.get("run", {})
    told_elsewhere = {"run", "adapter_hash"}
    quality = {k: v for k, v in train.items() if k not in told_elsewhere and "_tokens_" not in k}
    values = {**quality, **run}
    if not values.get("resumed_at_step"):
        values.pop("resumed_at_step", None)
    found = [
        (TITLES.get(name, name.replace("_", " ")), _plain(value)) for name, value in values.items()
    ]
    minutes = run.get("minutes")
    if minutes is None:
        cost = "unknown: no time was written"
    elif usd_per_hour is None:
        cost = "unknown: set run.usd_per_hour"
    else:
        cost = usd(usd_per_hour * minutes / 60)
        if run.get("resumed_at_step"):
            cost += f", from step {run['resumed_at_step']} on, where the run was resumed"
    return [*found, ("cost of training", cost)]


def origin(material: Material) -> str:
    """Where the test rows came from, in a few words; empty if that is not known."""
    source = material.source
    match source.get("source"):
        case "embedded":
            return f"generated from seed {source.get('seed')}: no real data"
        case "hub":
            return f"from {source['repo']}{'' if source.get('pinned', True) else ', not pinned'}"
        case "files":
            files = source["files"]
            return f"from {files.get('test', files.get('all', {})).get('file')}"
    return ""


def source(material: Material) -> Facts:
    """Where a task's rows came from, each split's hash, and the hash of its adapter."""
    if not material.source:
        found = [("source", "data/raw was not there when this page was made")]
    else:
        found = list(_flat(material.source))
    adapter = material.adapter_sha256 or "no adapter was there when this page was made"
    return [*found, ("adapter sha256", adapter)]


def base_model(model: Model) -> Facts:
    """The base model's name, and its revision or, of a folder, the hashes of its weights."""
    found = [("base model", without_folders(model.name)), ("from", model.source)]
    if model.source == "hub":
        return [*found, ("revision", str(model.revision))]
    weights = sorted(Path(model.name).glob("*.safetensors")) or sorted(
        Path(model.name).glob("*.bin")
    )
    hashes = [(f"{file.name} sha256", sha256(file)) for file in weights]
    return found + (hashes or [("sha256", "its weights were not there when this page was made")])


def versions() -> Facts:
    """Of Python and the packages that matter, as installed where the page was made."""
    found = [("Python", platform.python_version())]
    for package in PACKAGES:
        try:
            found.append((package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            found.append((package, "not installed"))
    return found


def _flat(values: Mapping[str, Any], before: str = "") -> Facts:
    found: Facts = []
    for key, value in values.items():
        name = f"{before}{key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            found += _flat(value, f"{name} ")
        else:
            found.append((name, _plain(value)))
    return found


def _plain(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return number(value, 0) if isinstance(value, int) else f"{value:,.6g}"
