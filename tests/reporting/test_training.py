import pytest

from finetune.core.schema import Train
from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.training import training

CURVES = {"train_loss": [(1, 3.0), (2, 2.0)], "validation_loss": [(1, 3.0), (2, 2.5)]}


def plain(said: str) -> str:
    return said.replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture
def options(known) -> Train:
    return known.tasks["samsum"].train


def test_curves_are_drawn_and_the_kind_says_what_was_minimized(kind, options):
    rates = {"learning_rate": [(1, 0.1), (2, 0.2)]}
    metrics = {"train": {"best_step": 2}}
    artifacts = TaskArtifacts(task="towns", kind=kind, metrics=metrics, curves=CURVES | rates)
    loss, rate = training("t1", artifacts, options).figures
    assert (loss.heading, rate.heading) == ("Loss", "Learning rate")
    assert loss.caption == f"The squared distance, seed {options.seed}."


@pytest.mark.parametrize(
    ("train", "said"),
    [({"mix": {"price": 1.0}}, "Cross-entropy of an answer"), ({"head": "number"}, "Laplace")],
)
def test_what_another_loss_minimized_is_not_the_kind_s(kind, options, train, said):
    artifacts = TaskArtifacts(task="towns", kind=kind, metrics={"train": train}, curves=CURVES)
    assert said in training("t1", artifacts, options).figures[0].caption


def told(kind, options, **train) -> list[str]:
    """What the page says of a run with these metrics."""
    curves = {"validation_loss": [(10, 2.0), (20, 1.5), (30, 1.9)], "train_loss": [(10, 1.5)]}
    metrics = {"train": {"best_step": 20, **train}}
    artifacts = TaskArtifacts(task="towns", kind=kind, metrics=metrics, curves=curves)
    return training("t1", artifacts, options).notes


def test_the_advice_of_training_is_shown_and_nothing_where_it_gave_none(kind, options):
    assert told(kind, options) == []
    assert told(kind, options, advice="Fewer epochs.") == ["Fewer epochs."]


def test_a_run_that_stopped_early_says_where(kind, options):
    stopped = {"stopped_early": True, "stopped_at_step": 30, "steps": 50}
    assert "after step 30 of 50" in told(kind, options, **stopped)[-1]


def test_an_adapter_that_was_kept_for_its_score_is_not_said_to_have_the_lowest_loss(kind, options):
    by_score = {"selected_by": "score", "validation_score": 7.5, "best_step": 30}
    said = plain(told(kind, options, **by_score)[0])
    assert said.startswith("The adapter of step 30 was kept for its ")
    assert said.endswith("validation loss was lowest at step 20 (1.500).")


def test_the_score_s_curve_is_drawn(kind, options):
    curves = CURVES | {"validation_score": [(1, 10.0), (2, 20.0)]}
    metrics = {"train": {"best_step": 2, "selected_by": "score", "validation_score": 20.0}}
    artifacts = TaskArtifacts(task="towns", kind=kind, metrics=metrics, curves=curves)
    assert len(training("t1", artifacts, options).figures) == 2


def test_a_run_without_curves_or_metrics_is_told(kind, options):
    artifacts = TaskArtifacts(task="towns", kind=kind, metrics={"train": {"steps": 2}})
    assert training("t1", artifacts, options).missing == ["No curves of the losses were written."]
    (said,) = training("t1", TaskArtifacts(task="towns", kind=kind), options).missing
    assert said == "No training run has written its metrics yet."
