"""prepare: validate, clean, remove duplicates and leakage, split, subset; and count all of it."""

from collections.abc import Mapping
from pathlib import Path

from finetune.core import entry, paths
from finetune.core.files import line, read_json, replaced_folder, write_json, write_jsonl
from finetune.core.params import StageParams
from finetune.core.schema import ALL, Augment, Curate, Prompt
from finetune.data import near_duplicates, preparation, splitting
from finetune.data.augmentation import Augmented
from finetune.data.preparation import Rules, Source
from finetune.data.split import HASH, Split
from finetune.tasks import registry


def run(params: StageParams, task: str) -> None:
    """Write the rows that a model may see, those set aside, and `data.json`."""
    rules = Rules(
        params.data.max_bad_rate,
        params.data.near_duplicates,
        params.data.test_fraction,
        params.data.validation_fraction,
        params.data.seed,
        params.data.mask_pii,
        tuple(params.data.phone_regions),
    )
    curate = params.task.source.curate
    with replaced_folder(paths.prepared(task)) as folder:
        source = _source(task, params.task.kind, params.task.prompt, curate)
        prepared = preparation.prepare(
            source, rules, folder, params.run.workers, params.run.data_engine
        )
        splits = prepared.splits
        splitting.choose(splits, params.task.source, params.data.limit, params.data.seed, task)
        preparation.check_rows(task, splits)
        for split in paths.SPLITS:
            splits[split].write(folder / f"{split}.jsonl")
        augment = params.task.source.augment
        added = _augment(augment, params.task.kind, splits, folder, rules)
        pairs = near_duplicates.readable(prepared.near.pairs, prepared.searched)
        write_jsonl(folder / "near_duplicates.jsonl", pairs)
        write_json(folder / "clusters.json", prepared.cluster_ids())
        preparation.remove_work(folder)
    counts = {split: splits[split].counts for split in (ALL,) if split in splits}
    for split in paths.SPLITS:
        in_prompt = int(splits[split].column("answer_in_input").sum())
        kept = len(splits[split])
        counts[split] = {**splits[split].counts, "answer_in_prompt": in_prompt, "kept": kept}
    counts["train"] |= added
    of_source = splits["train"].column("source")
    for number, (name, of_mixed) in enumerate(prepared.mixed.items(), start=1):
        counts[name] = {**of_mixed, "kept_in_train": int((of_source == number).sum())}
    write_json(paths.metrics(task, "data"), {task: {"data": counts}})


def _augment(
    augment: Augment | None, kind: str, splits: Mapping[str, Split], folder: Path, rules: Rules
) -> dict[str, int]:
    """Append rows that are made of those of train, and give their counts."""
    if augment is None:
        return {}
    # Padded: numpy leaves out zeros at the end of a hash.
    known = {
        each.ljust(HASH.itemsize, b"\0")
        for split in splits.values()
        for each in split.columns["input"].tolist()
    }
    field = registry.options(kind).Task.fields.input
    held_out = [row.input for name in ("validation", "test") for row in splits[name].rows]
    made = Augmented(
        splits["train"].rows,
        augment,
        field,
        rules.seed,
        known,
        lambda texts: near_duplicates.are_near(texts, held_out, rules.near_duplicates).tolist(),
    )
    with (folder / "train.jsonl").open("a", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line(row.model_dump(exclude_unset=True))}\n" for row in made)
    return dict(made.counts)


def _source(task: str, kind: str, prompt: Prompt, curate: Curate | None) -> Source:
    """The raw rows, and the names of their files as the user knows them."""
    raw = paths.raw(task)
    origin = read_json(raw / "source.json")
    files = {split: raw / f"{split}.jsonl" for split in origin["splits"]}
    of_files = dict(origin.get("files", {}))
    for name, mixed in origin.get("mix", {}).items():
        of_files[name] = mixed.get("files", {}).get("train", {})
    names = {split: of_files.get(split, {}).get("file", f"{task}/{split}") for split in files}
    return Source(task, kind, prompt, files, names, curate)


if __name__ == "__main__":
    entry.main(run)
