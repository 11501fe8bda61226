"""prepare: validate, clean, remove duplicates and leakage, split, subset; and count all of it."""

from collections.abc import Mapping

from finetune.core import entry, paths
from finetune.core.errors import DataError
from finetune.core.files import read_json, read_jsonl, replaced_folder, write_json, write_jsonl
from finetune.core.params import StageParams
from finetune.core.schema import ALL, Curate
from finetune.data import personal, preparation, splitting
from finetune.data.cleaning import Split
from finetune.data.curation import Curated
from finetune.data.preparation import Rules
from finetune.tasks import registry
from finetune.tasks.registry import Rows


def run(params: StageParams, task: str) -> None:
    """Write the rows that a model may see, those set aside, and `data.json`."""
    origin = read_json(paths.raw(task) / "source.json")
    raw = {split: read_jsonl(paths.raw(task) / f"{split}.jsonl") for split in origin["splits"]}
    files = {
        split: origin.get("files", {}).get(split, {}).get("file", f"{task}/{split}")
        for split in raw
    }
    rules = Rules(
        params.data.max_bad_rate,
        params.data.near_duplicates,
        params.data.test_fraction,
        params.data.validation_fraction,
        params.data.seed,
    )
    kind = params.task.kind
    fields = registry.options(kind).Task.fields
    of_kind: Rows = personal.Screened(
        registry.rows(kind, params.task.prompt),
        fields.required | fields.optional,
        params.data.phone_regions,
        params.data.mask_pii,
    )
    curate = params.task.source.curate
    if curate is not None:
        of_kind = Curated(of_kind, fields.input, curate)
    prepared = preparation.prepare(raw, files, of_kind, fields.input, rules, task)
    splits = prepared.splits
    if curate is not None:
        _fix_sizes(splits, curate, params.data.seed, task)
    for split in paths.SPLITS:
        splitting.limit(splits[split], getattr(params.data.limit, split), params.data.seed)
    preparation.check_rows(task, splits)

    with replaced_folder(paths.prepared(task)) as folder:
        for split in paths.SPLITS:
            rows = [row.model_dump(exclude_unset=True) for row in splits[split].rows]
            write_jsonl(folder / f"{split}.jsonl", rows)
        write_jsonl(folder / "set_aside.jsonl", [row for s in splits.values() for row in s.bad])
        write_jsonl(folder / "near_duplicates.jsonl", prepared.near.pairs)
        write_json(folder / "clusters.json", prepared.near.clusters)
    counts = {split: splits[split].counts for split in (ALL,) if split in splits}
    for split in paths.SPLITS:
        kept = splits[split].rows
        in_prompt = sum(row.answer_in_input for row in kept)
        counts[split] = {**splits[split].counts, "answer_in_prompt": in_prompt, "kept": len(kept)}
    write_json(paths.metrics(task, "data"), {task: {"data": counts}})


def _fix_sizes(splits: Mapping[str, Split], curate: Curate, seed: int, task: str) -> None:
    for name in paths.SPLITS:
        size = getattr(curate.sizes, name)
        try:
            splitting.fix_size(splits[name], size, curate.weight, seed)
        except ValueError as error:
            raise DataError(
                f"tasks.{task}.source.curate.sizes.{name}: is {size:,}, and only {error} rows of "
                f"{name} can be drawn"
            ) from None


if __name__ == "__main__":
    entry.main(run)
