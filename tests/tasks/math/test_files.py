"""Files of one's own, by config alone: as GSM8K has them, and with a column for solutions."""

import json
from pathlib import Path

import pytest

from finetune.composition import compose
from finetune.core import params
from finetune.core.schema import Params
from finetune.data import preparation, sources
from finetune.data.preparation import Rules, Source
from finetune.tasks.math import baselines, scores

ROOT = Path(__file__).parents[3]
ADDED = "+task@tasks.arithmetic=arithmetic"


def composed(*overrides: str) -> Params:
    return params.validate_text(compose(ROOT, [ADDED, *overrides]), "conf")


def from_files(folder: Path, *overrides: str) -> dict[str, list]:
    """The rows of each split that `prepare` makes of a folder's files."""
    known = composed("data=files", f"data.root={folder}", *overrides)
    task = known.tasks["arithmetic"]
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


def problem(number: int) -> dict:
    answer = f"Ann has {number} + 1 = <<{number}+1={number + 1}>>{number + 1} eggs.\n#### "
    return {"question": f"Ann has {number} eggs and buys 1. How many?", "answer": answer}


def test_the_shape_of_gsm8k(tmp_path):
    for split, numbers in {"train": range(1000, 1020), "test": range(1020, 1025)}.items():
        lines = [problem(n) | {"answer": f"{problem(n)['answer']}{n + 1:,}"} for n in numbers]
        write(tmp_path / f"gsm8k/{split}.jsonl", lines)
    splits = from_files(tmp_path)
    assert {name: len(of) for name, of in splits.items()} == {
        "train": 16, "validation": 4, "test": 5,
    }  # fmt: skip
    assert splits["test"][0].completion.endswith("eggs.\n#### 1,021")
    test = [row.model_dump() for row in splits["test"]]
    options = composed().tasks["arithmetic"].score
    (last,) = [b for b in baselines.BASELINES if b.name == "last_number"]
    answers = last.fit({"train": test, "validation": [], "test": test}, options)(test)
    scored = scores.score(test, [{"prediction": p} for p in answers.predictions], options)
    assert [row["reference_answer"] for row in scored] == [str(n) for n in range(1021, 1026)]
    assert [row["answer"] for row in scored] == ["1"] * 5


def test_a_column_for_solutions_and_numbers_for_answers(tmp_path):
    lines = [{"q": f"What is {n}?", "why": "So it is.", "result": n} for n in range(50)]
    write(tmp_path / "gsm8k/all.jsonl", lines)
    splits = from_files(
        tmp_path,
        "~tasks.arithmetic.source.files.splits",
        "+tasks.arithmetic.source.files.splits={all: all.jsonl}",
        "~tasks.arithmetic.source.files.fields",
        "+tasks.arithmetic.source.files.fields={question: q, solution: why, answer: result}",
    )
    everything = [row for name in ("train", "validation", "test") for row in splits[name]]
    assert len(everything) == 50
    assert {row.answer for row in everything} == {f"So it is.\n#### {n}" for n in range(50)}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("prompt.completion=both", "tasks.arithmetic.prompt.completion: is 'both', must be"),
        ("eval.samples=1", "tasks.arithmetic.eval.samples: is 1, must be"),
        ("score.marker=' '", "tasks.arithmetic.score.marker: is ' ', must match"),
        ("baselines=[mean]", "'mean' is none of most_frequent, last_number, neighbour"),
    ],
)
def test_a_mistake_names_its_key(override, message):
    with pytest.raises(params.ParamsError, match=message):
        composed(f"tasks.arithmetic.{override}")
