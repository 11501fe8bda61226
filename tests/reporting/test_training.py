import pytest

from finetune.core.schema import Train
from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.training import overfitting, training

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


def told(kind, options, **train) -> list[str]:
    """What the page says of a run with these metrics."""
    curves = {"validation_loss": [(10, 2.0), (20, 1.5), (30, 1.9)], "train_loss": [(10, 1.5)]}
    metrics = {"train": {"best_step": 20, **train}}
    artifacts = TaskArtifacts(task="towns", kind=kind, metrics=metrics, curves=curves)
    return training("t1", artifacts, options).notes


def test_the_advice_of_training_is_shown_in_place_of_what_the_curve_says(kind, options):
    curve, *rest = told(kind, options)
    assert "rose from 1.500" in curve
    assert told(kind, options, advice="Fewer epochs.") == ["Fewer epochs.", *rest]


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


@pytest.mark.parametrize(
    ("validation", "kept", "said"),
    [
        ([(10, 2.0), (20, 1.5), (30, 1.2)], 30, "still falling at the end: a longer run may help"),
        ([(10, 2.0), (20, 1.201), (30, 1.2)], 30, "a plateau since step 20"),
        ([(10, 2.0), (20, 1.5), (30, 1.9)], 20, "rose from 1.500 at step 20 to 1.900 at step 30"),
        ([(10, 2.0), (20, 1.5), (30, 1.501)], 20, "lowest at step 20 (1.500) and 1.501 at step 30"),
        ([(10, 2.0), (20, 2.0)], 20, "did not fall"),
        ([(10, 2.0)], 10, "measured once"),
        ([], None, "No curve of the validation loss"),
        ([(10, 2.0), (20, 1.5), (30, 1.9)], None, "the adapter of step 20 was kept"),
    ],
)
def test_overfitting_is_read_off_the_validation_curve(validation, kept, said):
    assert said in overfitting({"validation_loss": validation}, kept)[0]


@pytest.mark.parametrize(
    ("train", "said"),
    [
        (2.0, "0.000 below the validation loss: no sign of memorized"),
        (2.5, "0.500 above the validation loss: no sign of memorized"),
        (1.8, "the usual gap"),
        (1.0, "100 % of the training loss: the model fits its training rows much better"),
    ],
)
def test_the_gap_to_the_training_loss_is_told(train, said):
    # What was logged after the kept step tells nothing of its adapter.
    curves = {
        "validation_loss": [(10, 3.0), (20, 2.0)],
        "train_loss": [(5, train), (15, train), (25, 0.1)],
    }
    assert said in plain(overfitting(curves, 20)[1])
