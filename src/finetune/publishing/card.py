"""A model card out of the metrics: scores with intervals, data and licence, parameters, hashes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from finetune.core import paths
from finetune.core.files import sha256
from finetune.core.git import try_git
from finetune.forms import records
from finetune.publishing.release import Release, published_form
from finetune.reporting import facts, tables
from finetune.scoring import numbers
from finetune.scoring.metrics import Metric
from finetune.shelf import public
from finetune.tasks import registry

LIBRARIES = {"adapter_config.json": "peft", "model.gguf": "gguf"}


def card(release: Release, repo: str) -> str:
    """The text of README.md, with the front matter that the hub reads."""
    return f"---\n{front_matter(release, repo)}\n---\n\n{body(release, repo)}"


def front_matter(release: Release, repo: str) -> str:
    """Library, base, data set and scores (`model-index`) as the hub's client writes them."""
    from huggingface_hub import EvalResult, ModelCardData

    tuned = _scores(release)
    repository = release.origin.get("repo")
    origins = [
        each for own in release.origins.values() for each in (own, *own.get("mix", {}).values())
    ]
    repositories = list(dict.fromkeys(each["repo"] for each in origins if each.get("repo")))
    results = [
        EvalResult(
            task_type="text-generation",
            dataset_type=repository or release.origin.get("source", "files"),
            dataset_name=release.task,
            dataset_split="test",
            dataset_revision=release.origin.get("revision"),
            metric_type=metric.key,
            metric_name=f"{metric.heading}, {_confidence(release)} interval in args",
            metric_value=tuned[metric.key],
            metric_args={**tuned["interval"].get(metric.key, {}), "n": tuned["n"]},
        )
        for metric in _metrics(release)
        if metric.key in tuned
    ]
    names = {file.name for file in release.files}
    library = next((of for name, of in LIBRARIES.items() if name in names), "transformers")
    data = ModelCardData(
        model_name=repo.partition("/")[2],
        base_model=release.base_model,
        library_name=library,
        datasets=repositories or None,
        tags=["finetune", release.options.kind, release.settings.method.tuner],
        pipeline_tag="text-generation",
        eval_results=results or None,
    )
    return str(data.to_yaml())


def _scores(release: Release) -> dict[str, Any]:
    """The scores of what is published: an export's own, else the tuned model's."""
    name = published_form(release.exports)
    return release.exports[name] if name else release.metrics["tuned"]


def _metrics(release: Release) -> tuple[Metric, ...]:
    options = release.options
    return registry.metrics(options.kind, options.primary, options.prompt)


def _confidence(release: Release) -> str:
    return numbers.percent(release.settings.bootstrap.confidence)


def body(release: Release, repo: str) -> str:
    """The card's sections."""
    return "\n\n".join(["# " + repo.partition("/")[2], *_sections(release)]) + "\n"


def _sections(release: Release) -> Iterator[str]:
    settings, metrics = release.settings, release.metrics
    base = release.base_model or paths.without_folders(settings.model.name)
    yield (
        f"`{base}` ({settings.method.label}), tuned with `{settings.method.tuner}` for the task "
        f"`{release.task}` ({release.options.kind}). This card was made from the run's metrics."
    )
    yield f"## Scores on the test rows, with {_confidence(release)} intervals"
    yield tables.results(metrics, _metrics(release))
    report = registry.report(release.options.kind).REPORT
    yield "\n\n".join(tables.remarks(metrics, _metrics(release), report))
    if release.exports:
        form = published_form(release.exports)
        yield f"## This form ({form}) against the tuned model, on the same rows"
        yield records.table(
            _metrics(release), release.exports, settings.bootstrap.confidence, "github"
        )
    yield "## Data"
    yield "\n".join(_data(release))
    yield "## Parameters"
    yield f"```yaml\n{_parameters(release)}```"
    yield "## Reproduce"
    yield "\n".join(_reproduce(release))


def _data(release: Release) -> Iterator[str]:
    yield from _origin(release.origin)
    yield f"- {facts.dropped(release.metrics.get('data', {}))}"
    yield from _mixed(release.origin)
    for name, origin in release.origins.items():
        if name != release.task:
            yield f"\nTrained on rows of `{name}`, too:\n"
            yield from _origin(origin)
            yield from _mixed(origin)


def _origin(origin: Mapping[str, Any]) -> Iterator[str]:
    yield f"- Source: {origin.get('repo') or origin.get('source', 'files')}"
    if revision := origin.get("revision"):
        yield f"- Revision: `{revision}`"
    licence = origin.get("licence", "not stated")
    yield f"- Licence: {licence}; that of the base model holds as well"
    for name, split in origin.get("splits", {}).items():
        yield f"- {name}: {split.get('rows', '?')} rows, SHA-256 `{split.get('sha256', 'unknown')}`"


def _mixed(origin: Mapping[str, Any]) -> Iterator[str]:
    """The sources that are mixed in."""
    for name, mixed in origin.get("mix", {}).items():
        yield f"\nTrained on rows of `{name}`, too, {mixed['weight']:g} for one of its own:\n"
        yield from _origin(mixed)


def _parameters(release: Release) -> str:
    task = release.options.model_dump(mode="json")
    settings = release.settings
    values = {
        "task": {key: task[key] for key in ("kind", "prompt", "train", "eval", "score")},
        **{
            name: getattr(settings, name).model_dump(mode="json")
            for name in ("model", "method", "lora", "bootstrap")
        },
    }
    values["model"].pop("watch")  # of DVC
    if release.base_model:
        values["model"]["name"] = release.base_model
    return str(yaml.safe_dump(public.params(values), sort_keys=False, allow_unicode=True))


def _reproduce(release: Release) -> Iterator[str]:
    commit = _commit(release.root)
    yield f"- Code: {f'commit `{commit}`' if commit else 'not of a commit'}; `dvc repro`"
    for file in release.weights:
        yield f"- `{file.name}`: SHA-256 `{sha256(file)}`"
    tuned = release.metrics["tuned"]
    yield f"- Predictions of the test rows: `{tuned.get('predictions_hash')}`"
    packages = [f"{name} {version}" for name, version in facts.versions()]
    yield f"- Packages: {', '.join(packages)}"


def _commit(root: Path) -> str | None:
    """The commit of the run, which is that of dvc.lock; None if what is tracked was changed since.

    Code that was committed after it may give another model.
    """
    if try_git(root, "status", "--porcelain", "-uno"):
        return None
    return try_git(root, "log", "-1", "--format=%H", "--", "dvc.lock") or None
