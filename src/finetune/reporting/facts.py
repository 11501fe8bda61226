"""What went into a run: data, truncations, parameters, hashes, versions, hardware, time, cost."""

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune.core.files import sha256
from finetune.core.paths import without_folders
from finetune.core.schema import Model
from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.leaderboard import MODELS
from finetune.reporting.parts import Table
from finetune.reporting.tables import Metrics
from finetune.scoring.metrics import Flag
from finetune.scoring.numbers import number, share, usd

PACKAGES = (
    "dvc", "torch", "transformers", "peft", "bitsandbytes", "accelerate", "safetensors",
    "tokenizers", "datasets", "rouge-score", "pysbd", "scikit-learn", "numpy", "scipy",
    "matplotlib",
)  # fmt: skip
# What a key alone does not say.
TITLES = {
    "rows": "training rows",
    "best_step": "kept step",
    "mix": "trained on rows of other tasks, too, for one of its own",
    "adapter_of": "adapter taken from",
    "train_loss": "training loss, since the evaluation before the last",
    "minutes": "minutes of training",
    "peak_memory_gb": "peak memory (GB)",
    "size_mb": "size on disk (MB)",
}


MIXTURE = "beyond their source's weight"
# Names and values, as the page lists them.
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
            if count and (name.startswith("dropped_") or name in ("set_aside", "left_out_by_mix")):
                reason = MIXTURE if name == "left_out_by_mix" else name.removeprefix("dropped_")
                reason = reason.replace("_", " ")
                reasons[reason] = reasons.get(reason, 0) + count
    rest = rows - kept - sum(reasons.values())
    if rest > 0:
        reasons["beyond data.limit"] = rest
    listed = ", ".join(f"{name} {number(count, 0)}" for name, count in reasons.items())
    return f"{share(rows - kept, rows)} rows were left out: {listed}."


def tokens(train: Metrics) -> str:
    """How long the training rows are in the model's tokens, in a sentence; empty if unknown."""
    parts = [
        f"{label} {number(train[f'{key}_tokens_mean'], 1)} (at most "
        f"{number(train[f'{key}_tokens_max'], 0)})"
        for key, label in (("prompt", "prompt"), ("completion", "answer"))
        if f"{key}_tokens_mean" in train
    ]
    return f"Mean length in the model's tokens: {', '.join(parts)}." if parts else ""


def flags(metrics: Mapping[str, Metrics], declared: Sequence[Flag]) -> Table:
    """How many rows of each model have each flag."""
    models = {name: metrics[role] for role, name in MODELS.items() if metrics.get(role)}
    rows = [
        [flag.key.replace("_", " "), *(_count(flag, scores) for scores in models.values())]
        for flag in counted_flags(metrics, declared)
    ]
    return Table(["rows with", *models], rows)


def counted_flags(metrics: Mapping[str, Metrics], declared: Sequence[Flag]) -> list[Flag]:
    """The flags that some model's metrics count."""
    return [
        flag for flag in declared if any(flag.key in (metrics.get(role) or {}) for role in MODELS)
    ]


def _count(flag: Flag, scores: Metrics) -> str:
    if flag.key not in scores:
        return "–"
    return share(scores[flag.key], scores.get("n", 0)) if scores[flag.key] else "0"


def training(train: Metrics, usd_per_hour: float | None) -> Facts:
    """Steps, truncations, hardware, time and cost of a run."""
    run = train.get("run", {})
    elsewhere = {"run", "adapter_hash", "model_hash", "advice"}
    quality = {k: v for k, v in train.items() if k not in elsewhere and "_tokens_" not in k}
    values = {**quality, **run}
    if not values.get("resumed_at_step"):
        values.pop("resumed_at_step", None)
    facts = [
        (TITLES.get(name, name.replace("_", " ")), _plain(value)) for name, value in values.items()
    ]
    minutes = run.get("minutes")
    if "adapter_of" in train:
        cost = f"none: that of {train['adapter_of']} is where it was trained"
    elif "provider" in run:  # its price is per token, not per hour of a machine
        known = "usd" in run
        cost = usd(run["usd"]) if known else "unknown: set run.hosted_prices.training"
    elif minutes is None:
        cost = "unknown: no time was written"
    elif usd_per_hour is None:
        cost = "unknown: set run.usd_per_hour"
    else:
        cost = usd(usd_per_hour * minutes / 60)
    return [*facts, ("cost of training", cost)]


def origin(artifacts: TaskArtifacts) -> str:
    """Where the test rows came from, in a few words; empty if that is not known."""
    source = artifacts.source
    match source.get("source"):
        case "embedded":
            return f"generated from seed {source.get('seed')}: no real data"
        case "hub":
            return f"from {source['repo']}{'' if source.get('pinned', True) else ', not pinned'}"
        case "files":
            files = source["files"]
            return f"from {files.get('test', files.get('all', {})).get('file')}"
    return ""


def source(artifacts: TaskArtifacts) -> Facts:
    """Where a task's rows came from, each split's hash, and that of its adapter or model."""
    missing = [("source", "data/raw was not there when this page was made")]
    weights = artifacts.weights_sha256 or "they were not there when this page was made"
    return [*(_flat(artifacts.source) or missing), ("trained weights sha256", weights)]


def base_model(model: Model) -> Facts:
    """The base model's name, and its revision or, of a folder, the hashes of its weights."""
    named = [("base model", without_folders(model.name)), ("from", model.source)]
    if model.source == "hub":
        return [*named, ("revision", str(model.revision))]
    if model.api is not None:
        return [*named, ("asked at", model.api.base_url)]
    weights = sorted(Path(model.name).glob("*.safetensors")) or sorted(
        Path(model.name).glob("*.bin")
    )
    hashes = [(f"{file.name} sha256", sha256(file)) for file in weights]
    return named + (hashes or [("sha256", "its weights were not there when this page was made")])


def versions() -> Facts:
    """Of Python and the packages that matter, as installed where the page was made."""
    return [("Python", platform.python_version()), *((name, _version(name)) for name in PACKAGES)]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _flat(values: Mapping[str, Any], before: str = "") -> Facts:
    facts: Facts = []
    for key, value in values.items():
        name = f"{before}{key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            facts += _flat(value, f"{name} ")
        else:
            facts.append((name, _plain(value)))
    return facts


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return number(value, 0) if isinstance(value, int) else f"{value:,.6g}"
