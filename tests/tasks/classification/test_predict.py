import numpy as np
import pytest
import torch

from finetune.core.errors import DataError
from finetune.core.schema import Prompt
from finetune.inference.budgets import Budgets
from finetune.inference.choices import Distribution
from finetune.inference.predict import EvalSpec, predict
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks.classification.options import LabelEval
from finetune.tasks.classification.predict import answers, label_set, length_corrected
from finetune.tasks.classification.rows import Row

PROMPT = Prompt(instruction="Which?", cue="Label:\n", max_tokens=64, max_completion_tokens=24)
# Of one to many tokens, one of them the beginning of another.
LABELS = ["tea", "tea party", "coffee", "a very long label"]
ROWS = [
    Row(id=str(n), text=text, label=LABELS[n % 4])
    for n, text in enumerate(["A lamp", "A very long text about a chair of wood", "Tea"])
]
TRAIN = [Row(id=str(n), text=f"train {n}", label=label) for n, label in enumerate([*LABELS, "tea"])]


def options(labels: list[str] | None = LABELS, length_correction: bool = True) -> LabelEval:
    return LabelEval(shots=0, seed=1, labels=labels, length_correction=length_correction)


def asked(base, rows=ROWS, train=TRAIN, **changes) -> list[dict]:
    spec = EvalSpec(PROMPT, options(**changes), answers)
    return predict(base, base.model, spec, rows, train, "test", Budgets(10_000, 2**28))


@torch.inference_mode()
def log_mass(base, text: str, label: str) -> tuple[float, int]:
    """A label's log-likelihood from its whole sequence, and the number of its tokens."""
    encoder = PromptEncoder(base.tokenizer, PROMPT, base.context)
    prompt, path = encoder.encode(text).ids, encoder.encode_completion(label).ids[:-1]
    logits = base.model(input_ids=torch.tensor([[*prompt, *path]])).logits[0, len(prompt) - 1 : -1]
    steps = logits.double().log_softmax(-1)
    return steps.gather(-1, torch.tensor(path)[:, None]).sum().item(), len(path)


@pytest.mark.parametrize("model", ["tiny_model", "digits_model"])
@pytest.mark.parametrize("length_correction", [True, False])
def test_a_label_is_as_probable_as_its_tokens(request, load, model, length_correction):
    base = load(request.getfixturevalue(model))
    predictions = asked(base, length_correction=length_correction)
    for row, prediction in zip(ROWS, predictions, strict=True):
        logs = dict(zip(LABELS, (log_mass(base, row.text, label) for label in LABELS), strict=True))
        # What goes on to "tea party" is not "tea".
        tea, (party, _) = logs["tea"], logs["tea party"]
        logs["tea"] = (np.log(np.exp(tea[0]) - np.exp(party)), tea[1])
        masses, lengths = map(np.array, zip(*logs.values(), strict=True))
        scores = masses * (lengths.mean() / lengths if length_correction else 1)
        expected = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
        np.testing.assert_allclose(
            list(prediction["probabilities"].values()), expected, rtol=2e-2, atol=2e-6
        )
        assert prediction["prediction"] == LABELS[expected.argmax()]
        true = expected[LABELS.index(row.label)]
        assert prediction["probability"] == pytest.approx(true, rel=2e-2)
        outside = 100 * (1 - np.exp(masses).sum())
        assert prediction["outside"] == pytest.approx(outside, abs=1e-2)
        assert (prediction["id"], prediction["reference"]) == (row.id, row.label)
        assert list(prediction["probabilities"]) == LABELS


def test_a_correction_needs_the_mass_however_small_it_is():
    # Twenty tokens of 1e-2 each, against one of 1e-30: per token the long one is likelier.
    masses = np.array([1e-40, 1e-30])
    predicted = Distribution(masses / masses.sum(), outside=1.0, mass=masses.sum())
    log_ratio = np.log(length_corrected(predicted, [20, 1])[1])
    assert log_ratio == pytest.approx(10.5 * np.log(1e-30 / 1e-2))
    np.testing.assert_allclose(length_corrected(predicted, [1, 1]), predicted.probabilities)


def test_labels_of_one_length_keep_their_distribution():
    predicted = Distribution(np.array([0.9, 0.1]), outside=0.5, mass=0.5)
    np.testing.assert_allclose(length_corrected(predicted, [3, 3]), [0.9, 0.1])
    first, second = length_corrected(predicted, [2, 4])
    assert first < 0.9
    assert second / first == pytest.approx(0.05**0.75 / 0.45**1.5)


def test_a_label_without_any_mass_has_no_probability():
    predicted = Distribution(np.array([0.0, 1.0]), outside=0.5, mass=0.5)
    assert length_corrected(predicted, [2, 1]).tolist() == [0, 1]


def test_a_model_that_gives_no_numbers_predicts_as_labels_are_frequent(load, tiny_model):
    base = load(tiny_model)
    with torch.no_grad():
        base.model.lm_head.weight.fill_(float("nan"))
    for prediction in asked(base):
        assert (prediction["prediction"], prediction["unparsable"]) == ("tea", True)
        assert prediction["probabilities"]["tea"] == 0.4
        assert prediction["outside"] == 100


def test_the_labels_are_those_of_train_where_none_are_given(load, tiny_model):
    (first, *_) = asked(load(tiny_model), labels=None)
    assert list(first["probabilities"]) == sorted(LABELS)


@pytest.mark.parametrize(
    ("labels", "rows", "said"),
    [
        (
            ["coffee", "tea"], ROWS,
            r"^eval.labels: lacks 'tea party', the label of row 1 in the rows to predict "
            r"\(1 of 3 have one that is unknown\); list all labels in the task's config",
        ),
        (
            ["coffee", "tea", "tea party"], ROWS,
            r"^eval.labels: lacks 'a very long label', the label of row 3 in train",
        ),
        (
            None, [Row(id="9", text="x", label="new")],
            r"^eval.labels: is null, and train lacks 'new', the label of row 9",
        ),
    ],
)  # fmt: skip
def test_a_label_that_cannot_be_predicted_is_refused(labels, rows, said):
    with pytest.raises(DataError, match=said):
        label_set(rows, TRAIN, labels)


def test_one_label_is_nothing_to_choose_from():
    with pytest.raises(DataError, match="is null, and train has no label but 'tea'"):
        label_set([TRAIN[0]], [TRAIN[0]], None)
