"""fetch: one source, pinned, to one schema."""

from finetune.core import entry, paths
from finetune.core.files import replaced_folder, sha256, write_json, write_jsonl
from finetune.core.params import StageParams
from finetune.data import provenance, sources
from finetune.tasks import registry


def run(params: StageParams, task: str) -> None:
    """Write the raw rows of each split, others' answers to them, and where all came from."""
    fetched = sources.fetch(
        params.data.source,
        params.data.root,
        params.data.embedded,
        params.task.source,
        registry.options(params.task.kind).Task.fields,
        provenance.earlier(paths.raw(task) / "source.json"),
    )
    with replaced_folder(paths.raw(task)) as folder:
        written = {}
        for split, rows in fetched.splits.items():
            file = folder / f"{split}.jsonl"
            count = write_jsonl(file, rows)
            written[split] = {"rows": count, "sha256": sha256(file)}
        for name, guesses in fetched.guesses.items():
            write_jsonl(folder / paths.guesses(task).name / f"{name}.jsonl", guesses)
        write_json(folder / "source.json", {**fetched.origin, "splits": written})


if __name__ == "__main__":
    entry.main(run)
