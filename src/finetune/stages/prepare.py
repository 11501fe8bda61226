"""prepare: validate, clean, remove duplicates and leakage, split, subset; and count all of it."""

from finetune.core import entry, paths
from finetune.core.files import read_json, replaced_folder, write_json, write_jsonl
from finetune.core.params import StageParams
from finetune.core.schema import ALL, Prompt
from finetune.data import near_duplicates, preparation, splitting
from finetune.data.preparation import Rules, Source


def run(params: StageParams, task: str) -> None:
    """Write the rows that a model may see, those set aside, and `data.json`."""
    rules = Rules(
        params.data.max_bad_rate,
        params.data.near_duplicates,
        params.data.test_fraction,
        params.data.validation_fraction,
        params.data.seed,
    )
    with replaced_folder(paths.prepared(task)) as folder:
        source = _source(task, params.task.kind, params.task.prompt)
        prepared = preparation.prepare(
            source, rules, folder, params.run.workers, params.run.data_engine
        )
        splits = prepared.splits
        for split in paths.SPLITS:
            splitting.limit(splits[split], getattr(params.data.limit, split), params.data.seed)
        preparation.check_rows(task, splits)
        for split in paths.SPLITS:
            splits[split].write(folder / f"{split}.jsonl")
        pairs = near_duplicates.readable(prepared.near.pairs, prepared.searched)
        write_jsonl(folder / "near_duplicates.jsonl", pairs)
        write_json(folder / "clusters.json", prepared.cluster_ids())
        preparation.remove_work(folder)
    counts = {split: splits[split].counts for split in (ALL,) if split in splits}
    for split in paths.SPLITS:
        in_prompt = int(splits[split].column("answer_in_input").sum())
        kept = len(splits[split])
        counts[split] = {**splits[split].counts, "answer_in_prompt": in_prompt, "kept": kept}
    write_json(paths.metrics(task, "data"), {task: {"data": counts}})


def _source(task: str, kind: str, prompt: Prompt) -> Source:
    """The raw rows, and the names of their files as the user knows them."""
    raw = paths.raw(task)
    origin = read_json(raw / "source.json")
    files = {split: raw / f"{split}.jsonl" for split in origin["splits"]}
    names = {
        split: origin.get("files", {}).get(split, {}).get("file", f"{task}/{split}")
        for split in files
    }
    return Source(task, kind, prompt, files, names)


if __name__ == "__main__":
    entry.main(run)
