"""results/README.md: its table and its sentences, and that `finetune check` compares it."""

import json
import shutil

import pytest

from finetune.checks import shelf
from finetune.comparing import runs
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.shelf import command, page, writing


@pytest.fixture(scope="module")
def text(shelved) -> str:
    return page.page(shelved)


def test_an_empty_shelf_says_so(repository):
    assert shelf.problems(repository) == []
    (repository / "results").mkdir()
    assert shelf.problems(repository) == [
        "results/README.md: differs from what is shelved; run `finetune shelf`"
    ]
    command.write_page(repository)
    assert (repository / "results/README.md").read_text().endswith("\n\nNothing is shelved yet.\n")
    assert shelf.problems(repository) == []


def test_a_table_for_each_task_with_a_row_for_each_run(text):
    assert text.index("## samsum") < text.index("## price")
    (row, *_) = (line for line in text.splitlines() if line.startswith("| [better](better/)"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        "[better](better/)",
        "…/smollm2",
        "lora r 64, nf4, rate 0.002, epochs 2.0",
        "600, 60, 120",
        "embedded",
        "1",
        "50.00 [48.00, 52.00]",
        "**50.00 [48.00, 52.00]**",
        "+3.00 [2.00, 4.00]",
        "lead: 50.00 [48.00, 52.00]",
        "1.5 (train only)",
        "0.05 (train only)",
        "CPU, 2 threads",
    ]


def test_sentences_say_what_can_be_told_apart(text):
    samsum = text[text.index("## samsum") : text.index("## price")]
    better, first, second = (f"[{each}]({each}/)" for each in ("better", "first", "second"))
    assert "Protocol: split test, decode greedy. Intervals at 95\u00a0%." in samsum
    assert (
        f"Tuned against its base, test rows: better: {better}; cannot be told apart: {first}, "
        f"{second}."
    ) in samsum
    assert f"{better} better than lead (+" in samsum
    assert f"By the primary score of 60 validation rows {better} is best; can be told" in samsum
    assert f"and are worse: {first}, {second} (p " in samsum
    assert f"Of one seed each: {better}. What is said of these is about these runs" in samsum


def test_lower_is_better_where_it_is(text):
    price = text[text.index("## price") :]
    # The synthetic metrics say that the mean absolute error grew.
    assert "Tuned against its base, test rows: worse: [better](better/); cannot" in price
    assert "[better](better/) better than lead (-" in price


def test_the_page_is_written_without_a_look_at_test(shelved):
    (shelved / paths.looks()).unlink(missing_ok=True)
    page.page(shelved)
    assert not (shelved / paths.looks()).exists()


def test_the_check_names_what_is_amiss(repository):
    command.shelve(repository, "one", "first", None, False)
    assert shelf.problems(repository) == []
    shutil.copytree(repository / "results/one", repository / "results/two")
    assert shelf.problems(repository) == [
        "results/README.md: differs from what is shelved; run `finetune shelf`"
    ]
    (repository / "results/two/example.txt").write_text("the quokka")
    assert shelf.problems(repository) == [
        "results/two: example.txt is no file of the run; remove it, or shelve it again"
    ]


def test_code_that_was_not_committed_is_told(repository):
    (repository / "src/code.py").write_text("changed\n")
    writing.shelve(repository, "one", runs.WORKSPACE)
    assert "differs from the commit: [one](one/)." in page.page(repository)


def test_every_file_of_a_run_is_checked(repository):
    folder = writing.shelve(repository, "one", "first")
    command.write_page(repository)
    for path in json.loads((folder / "about.json").read_text())["files"]:
        before = (folder / path).read_text()
        (folder / path).write_text(before + " ")
        (problem,) = shelf.problems(repository)
        assert problem == (
            f"results/one: {path} was changed since the run was shelved; `git checkout "
            "results/one` restores it"
        )
        (folder / path).write_text(before)
    assert shelf.problems(repository) == []


def test_a_run_without_answers_has_a_row_and_no_verdict(repository):
    name = paths.metrics("price", "tuned")
    for run in (name, paths.metrics("price", "base")):
        content = json.loads((repository / run).read_text())
        scores = content["price"] if run == name else content["price"]["base"]
        del scores["mae"]
        scores |= {"no_answer": 120, "gain": {}}
        (repository / run).write_text(json.dumps(content))
    writing.shelve(repository, "silent", runs.WORKSPACE)
    text = page.page(repository)
    assert "**no answer in 120 of 120 rows**" in text
    assert "without a score to compare: [silent](silent/)" in text


def test_configurations_of_too_few_rows_are_not_ranked_and_that_is_said(shelved, monkeypatch):
    def refused(*_):
        raise UserError("price: 60 validation rows are too few for r2, which needs 800")

    monkeypatch.setattr(page.ranking, "rank", refused)
    assert "Not compared with each other: price: 60 validation rows are too few" in page.page(
        shelved
    )
