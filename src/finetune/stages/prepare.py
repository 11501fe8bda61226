"""prepare: validate, clean, remove duplicates and leakage, split, subset; and count all of it."""

from finetune.core import entry, paths
from finetune.core.files import read_json, read_jsonl, replaced_folder, write_json, write_jsonl
from finetune.core.params import StageParams
from finetune.core.schema import ALL
from finetune.data import preparation, splitting, task_rows
from finetune.data.preparation import Rules
from finetune.tasks import registry


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
    curate = params.task.source.curate
    rows = task_rows.of_task(
        registry.rows(kind, params.task.prompt),
        fields,
        curate,
        params.data.phone_regions,
        params.data.mask_pii,
    )
    prepared = preparation.prepare(raw, files, rows, fields.input, rules, task)
    splits = prepared.splits
    splitting.fix_sizes(splits, curate, params.data.seed, task)
    for split in paths.SPLITS:
        splitting.limit(splits[split], getattr(params.data.limit, split), params.data.seed)
    preparation.check_rows(task, splits)

    with replaced_folder(paths.prepared(task)) as folder:
        for split in paths.SPLITS:
            dumped = [row.model_dump(exclude_unset=True) for row in splits[split].rows]
            write_jsonl(folder / f"{split}.jsonl", dumped)
        write_jsonl(folder / "set_aside.jsonl", [row for s in splits.values() for row in s.bad])
        write_jsonl(folder / "near_duplicates.jsonl", prepared.near.pairs)
        write_json(folder / "clusters.json", prepared.near.clusters)
    counts = {split: splits[split].counts for split in (ALL,) if split in splits}
    for split in paths.SPLITS:
        kept = splits[split].rows
        in_prompt = sum(row.answer_in_input for row in kept)
        counts[split] = {**splits[split].counts, "answer_in_prompt": in_prompt, "kept": len(kept)}
    write_json(paths.metrics(task, "data"), {task: {"data": counts}})


if __name__ == "__main__":
    entry.main(run)
