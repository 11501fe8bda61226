"""Files of one's own, by config alone: as Dolly has them, and as Alpaca has."""

import json
from pathlib import Path

from finetune.composition import compose
from finetune.core import params
from finetune.data import preparation, sources
from finetune.data.preparation import Rules, Source

ROOT = Path(__file__).parents[3]


def from_files(folder: Path, *overrides: str) -> dict[str, list]:
    """The rows of each split that `prepare` makes of a folder's files."""
    added = ["+task@tasks.instructions=instructions", "data=files", f"data.root={folder}"]
    known = params.validate_text(compose(ROOT, [*added, *overrides]), "conf")
    task = known.tasks["instructions"]
    fields = type(task).fields
    fetched = sources.fetch("files", str(folder), known.data.embedded, task.source, fields)
    near = known.data.near_duplicates.model_copy(update={"threshold": None})
    rules = Rules(0.1, near, test_fraction=0.2, validation_fraction=0.2, seed=1)
    work = folder / "work"
    work.mkdir()
    files = sources.write(fetched.splits, work)
    source = Source("mine", task.kind, task.prompt, files, {name: name for name in files})
    splits = preparation.prepare(source, rules, work).splits
    return {name: list(split.rows) for name, split in splits.items()}


def write(file: Path, lines: list[dict]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def test_the_shape_of_dolly(tmp_path):
    lines = [
        {
            "instruction": f"Who has {n}?",
            "context": "" if n % 2 else f"Ann has {n}.",
            "response": "Ann.",
            "category": "closed_qa",
        }
        for n in range(60)
    ]
    write(tmp_path / "instructions/databricks-dolly-15k.jsonl", lines)
    splits = from_files(tmp_path)
    assert all(splits[name] for name in ("train", "validation", "test"))
    everything = [row for name in ("train", "validation", "test") for row in splits[name]]
    assert {row.input for row in everything} == {
        f"Who has {n}?" if n % 2 else f"Who has {n}?\n\nAnn has {n}." for n in range(60)
    }
    assert not any(row.facts for row in everything)


def test_the_shape_of_alpaca_with_columns_of_facts(tmp_path):
    for split, count in {"train": 10, "test": 3}.items():
        lines = [
            {"instruction": f"Say {split} {n}.", "input": "", "output": f"{n}", "a": "x", "b": None}
            for n in range(count)
        ]
        write(tmp_path / f"instructions/{split}.jsonl", lines)
    splits = from_files(
        tmp_path,
        "~tasks.instructions.source.files.splits",
        "+tasks.instructions.source.files.splits={train: train.jsonl, test: test.jsonl}",
        "tasks.instructions.source.files.fields.context=input",
        "tasks.instructions.source.files.fields.response=output",
        "tasks.instructions.source.files.fields.facts=[a,b]",
    )
    assert [row.input for row in splits["test"]] == [f"Say test {n}." for n in range(3)]
    assert [row.facts for row in splits["test"]] == [("x",)] * 3
