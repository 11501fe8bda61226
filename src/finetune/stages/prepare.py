"""prepare: validate, clean, drop duplicates and leaks, split, subset; and count all of it."""

from finetune.core import entry, paths
from finetune.core.files import read_json, read_jsonl, replaced_folder, write_json, write_jsonl
from finetune.core.params import Declared
from finetune.core.schema import ALL
from finetune.data import preparation, splitting
from finetune.data.preparation import Rules
from finetune.tasks.kinds import kind


def run(params: Declared, task: str) -> None:
    """Write the rows that a model may see, those set aside, and `data.json`."""
    origin = read_json(paths.raw(task) / "source.json")
    raw = {split: read_jsonl(paths.raw(task) / f"{split}.jsonl") for split in origin["splits"]}
    files = {
        split: origin.get("files", {}).get(split, {}).get("file", f"{task}/{split}")
        for split in raw
    }
    rules = Rules(
        params.data.max_bad_share,
        params.data.test_share,
        params.data.validation_share,
        params.data.seed,
    )
    splits = preparation.prepare(raw, files, kind(params.task.kind), rules)
    for split in paths.SPLITS:
        splitting.limit(splits[split], getattr(params.data.limit, split), params.data.seed)
    preparation.check_rows(task, splits)

    with replaced_folder(paths.prepared(task)) as folder:
        for split in paths.SPLITS:
            write_jsonl(folder / f"{split}.jsonl", splits[split].rows)
        write_jsonl(folder / "set_aside.jsonl", [row for s in splits.values() for row in s.bad])
    counts = {split: splits[split].counts for split in (ALL,) if split in splits}
    for split in paths.SPLITS:
        counts[split] = {**splits[split].counts, "kept": len(splits[split].rows)}
    write_json(paths.metrics(task, "data"), {task: {"data": counts}})


if __name__ == "__main__":
    entry.main(run)
