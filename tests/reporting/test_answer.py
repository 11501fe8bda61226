"""Words of the results; how they look on the page is for test_page and test_browser."""

from dataclasses import replace

import pytest

from finetune.core.schema import Bootstrap
from finetune.reporting import answer, leaderboard
from finetune.reporting.artifacts import TaskArtifacts

BOOTSTRAP = Bootstrap(resamples=1000, confidence=0.95, seed=1)


def scores(error: float, n: int = 4, **protocol: object) -> dict:
    ends = {"error": {"low": error - 1, "high": error + 1}}
    return {"error": error, "n": n, "interval": ends, "protocol": protocol}


@pytest.fixture
def artifacts(kind) -> TaskArtifacts:
    gain = {"error": {"mean": -65.0, "low": -70.0, "high": -60.0}}
    return TaskArtifacts(
        task="towns",
        kind=kind,
        metrics={
            "baselines": {
                "nearest": scores(30), "best": scores(1, oracle=True),
                "human": scores(10, n=2, source="one person"),
            },
            "base": scores(90),
            "tuned": {**scores(25), "gain": gain},
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"source": "embedded"}, "Published, on real data: not comparable"),
        ({"source": "files"}, "Published: measured otherwise, not comparable"),
        ({}, "Published: measured otherwise, not comparable"),
    ],
)
def test_published_figures_are_not_beside_generated_rows_without_a_word(kind, source, said):
    of = TaskArtifacts(task="towns", kind=kind, source=source)
    assert answer.published_elsewhere(of) == said


def test_an_error_that_falls_is_a_verdict_of_better(artifacts):
    entries = leaderboard.entries(artifacts)
    found = answer.verdict(artifacts, entries, BOOTSTRAP)
    assert found.word == "better"
    assert "the mean error fell from 90.00 to 25.00" in found.sentence
    assert answer.change(artifacts).startswith("−65.00 km [−70.00")
    artifacts.metrics["tuned"]["gain"] = {}
    none = answer.verdict(artifacts, entries, BOOTSTRAP)
    assert none.word == "undecided"
    assert none.sentence.startswith("No row was answered by both models")
    del artifacts.metrics["tuned"]["gain"]
    assert answer.verdict(artifacts, entries, BOOTSTRAP) is None
    assert answer.change(artifacts) == ""


def test_each_entry_has_a_note_for_those_who_do_not_know_its_name(artifacts):
    entries = {entry.key: entry for entry in leaderboard.entries(artifacts)}
    assert {key: answer._note(artifacts, entry) for key, entry in entries.items()} == {
        "nearest": "the nearest town",
        "best": "oracle: the best town",
        "human": "2 of 4 rows only; one person",
        "base": "the untuned model",
        "tuned": "after tuning",
    }


def test_remarks_of_the_kind_are_among_those_on_the_scores(artifacts):
    entries = leaderboard.entries(artifacts)
    weak, own, human = answer._notes(artifacts, entries, BOOTSTRAP)
    assert weak.startswith("Untuned, the base model does worse than 1 of 1 baselines")
    assert own == "towns is far."
    assert human.startswith("human answers 2 of 4 rows; over these its score is 10.00")


def test_several_draws_are_spoken_of_in_plain_words(artifacts):
    drawn = {"n": 3, "of": "examples", "error": {"low": 17.2, "high": 18.4}}
    artifacts.metrics["few_shot"] = {**scores(18), "draws": drawn}
    same = {"low": 25.001, "high": 25.004}
    artifacts.metrics["tuned"]["draws"] = {**drawn, "of": "samples", "error": same}
    entries = leaderboard.entries(artifacts)
    notes = answer._notes(artifacts, entries, BOOTSTRAP)
    (few_shot,) = (note for note in notes if "in its prompt" in note)
    assert few_shot.endswith(". It scores 17.20 to 18.40 over 3 draws of examples.")
    assert "The tuned model scores 25.00 in all 3 draws of samples." in notes
    assert not any(note.startswith("The base model scores") for note in notes)


def test_a_score_that_takes_more_rows_is_shown_and_decides_nothing(artifacts):
    kind = artifacts.kind
    of_many = replace(kind, metrics=(replace(kind.metrics[0], min_rows=800), *kind.metrics[1:]))
    few = replace(artifacts, kind=of_many)
    for scored in (few.metrics["base"], few.metrics["tuned"]):
        del scored["interval"]
    del few.metrics["tuned"]["gain"]["error"]
    few.metrics["tuned"]["gain"]["guessed"] = {"mean": 1.0, "low": 0.0, "high": 2.0, "n": 3}
    entries = leaderboard.entries(few)
    found = answer.verdict(few, entries, BOOTSTRAP)
    assert found.word == "undecided"
    assert "went from 90.00 to 25.00" in found.sentence
    assert "Of 3 rows its difference has no interval that holds" in found.sentence
    assert answer._line(few, leaderboard.by_role(entries, "tuned")).value == "25.00"
