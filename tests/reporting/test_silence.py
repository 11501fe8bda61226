"""A model that gives too few answers has no score, no gain and no verdict, wherever one looks."""

import re
from contextlib import chdir
from pathlib import Path

import pytest
from markupsafe import Markup

from finetune.reporting import tables
from finetune.tasks import registry

TASKS = {"samsum": "summarization", "price": "price"}
# Of 24 rows: above and below the rate of 5 %.
MANY, ONE = 20, 1


def words(html: str) -> str:
    # Blanks that may not be broken are blanks like others; what has no text is no word.
    return re.sub(r"\s+", " ", str(Markup(html).striptags()))


def markdown(root: Path, task: str) -> str:
    with chdir(root):
        metrics = tables.read_complete(Path("metrics"), task)
        declared = registry.scores(TASKS[task]).METRICS
        report = registry.report(TASKS[task]).REPORT
        short = tables.short_results(metrics, declared)
        return "\n".join([short, *tables.remarks(metrics, declared, report)])


@pytest.mark.parametrize("task", TASKS)
def test_over_a_silent_base_there_is_no_gain_but_the_baselines(unanswered, render, task):
    root = unanswered(base=MANY, few_shot=MANY)
    page = words(render(root, (task,)))
    assert "The base model does not answer" in page
    assert (
        "The untuned model does not answer (no answer in 20 of 24 rows), so there is nothing to "
        "compare with but the baselines: with"
    ) in page
    assert re.search(r"the tuned model beats the best baseline by validation, \w+", page)
    assert "The base model with examples in its prompt does not answer" in page
    assert "Tuning made the model" not in page
    assert "No row was answered by both models." in page
    assert "worse than the base model" not in page


@pytest.mark.parametrize("task", TASKS)
def test_a_silent_base_has_its_rate_in_the_place_of_its_score(unanswered, task):
    said = markdown(unanswered(base=MANY), task)
    (row,) = [line for line in said.splitlines() if line.startswith("| base model")]
    assert row.count("no answer in 20 of 24 rows") == 1
    assert "[" not in row
    assert "No gain: the untuned model does not answer (no answer in 20 of 24 rows), so" in said
    assert "Gain of tuned" not in said


@pytest.mark.parametrize("task", TASKS)
def test_a_silent_tuned_model_has_no_score(unanswered, render, task):
    root = unanswered(tuned=MANY)
    page = words(render(root, (task,)))
    assert "The tuned model does not answer (no answer in 20 of 24 rows), so it has no" in page
    assert "Tuning made the model" not in page
    assert "No gain: the tuned model does not answer" in markdown(root, task)


def test_with_nobody_who_answers_there_is_still_a_page(unanswered, render):
    page = words(render(unanswered(base=24, few_shot=24, tuned=24)))
    assert page.count("The tuned model does not answer (no answer in 24 of 24 rows)") == 2


def test_some_imputed_answers_stand_beside_the_score_over_the_others(unanswered, render):
    task = "price"
    root = unanswered(base=ONE)
    page = words(render(root, (task,)))
    assert (
        "over the 23 rows that both answered (base model no answer in 1 of 24 rows, tuned answers "
        "all rows)"
    ) in page
    assert "The base model has no answer in 1 of 24 rows, which its score counts at" in page
    assert "over the 23 rows that it answered" in page
    assert "It is over the 23 rows that both answered, where" in markdown(root, task)
