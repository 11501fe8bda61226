"""prepare: validate, clean, drop duplicates and leaks, split, subset; and count all of it."""

from finetune import paths
from finetune.data import cleaning, splitting
from finetune.errors import DataError
from finetune.files import read_json, read_jsonl, replaced_folder, write_json, write_jsonl
from finetune.params import Declared
from finetune.stages import entry
from finetune.tasks.kinds import kind


def run(params: Declared, task: str) -> None:
    """Write the rows that a model may see, those set aside, and `data.json`."""
    rows_of = kind(params.task.kind)
    origin = read_json(paths.raw(task) / "source.json")
    splits = {}
    for split in origin["splits"]:
        raw = read_jsonl(paths.raw(task) / f"{split}.jsonl")
        file = origin.get("files", {}).get(split, {}).get("file", f"{task}/{split}")
        splits[split] = cleaning.clean(raw, rows_of, file, params.data.max_bad_share)

    for split in ("train", "validation"):
        if split in splits:
            cleaning.drop_unusable(splits[split], rows_of)
    if "validation" not in splits:
        splitting.split_off_validation(splits, params.data.validation_share, params.data.seed)
    cleaning.drop_leaks(splits, rows_of)
    for split in paths.SPLITS:
        splitting.limit(splits[split], getattr(params.data.limit, split), params.data.seed)
        if not splits[split].rows:
            raise DataError(
                f"{task}: no rows are left in {split}; see what was dropped in its file"
            )

    with replaced_folder(paths.prepared(task)) as folder:
        for split in paths.SPLITS:
            write_jsonl(folder / f"{split}.jsonl", splits[split].rows)
        write_jsonl(folder / "set_aside.jsonl", [row for s in splits.values() for row in s.bad])
    counts = {
        name: {**splits[name].counts, "kept": len(splits[name].rows)} for name in paths.SPLITS
    }
    write_json(paths.metrics(task, "data"), {task: {"data": counts}})


if __name__ == "__main__":
    entry.main(run)
