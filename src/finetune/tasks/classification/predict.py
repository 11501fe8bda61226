"""How a model is asked for labels: by its distribution over all of them."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from finetune.core.errors import DataError
from finetune.core.rows_file import statistic
from finetune.core.text import contains_words, words
from finetune.inference.choices import Distribution
from finetune.inference.predict import Prediction, Request
from finetune.inference.written import TextRequest, flags
from finetune.modeling.choice_tree import choice_tree
from finetune.tasks.classification.options import LabelEval
from finetune.tasks.classification.rows import Row


def answers(request: Request[Row, LabelEval]) -> list[Prediction]:
    """The most probable label of each row, and the distribution over all labels.

    Raises:
        DataError: a row has a label that cannot be predicted.
    """
    labels = label_set(request.rows, request.train, request.eval.labels)
    tree = choice_tree(request.encoder, labels, "label")
    predicted = request.engine.distributions(
        request.model,
        [prompt.ids for prompt in request.prompts],
        tree,
        # Labels are few: all their tokens are scored, however improbable.
        0.0,
        request.budgets,
        request.base.tokenizer.pad_token_id,
        request.what,
    )
    # Where there is no prediction, the frequencies of labels in train stand in, and are counted.
    counts = statistic(request.train, label_counts)
    frequencies = np.array([counts[label] / counts.total() for label in labels])
    lengths = tree.lengths if request.eval.length_correction else [1] * len(labels)
    return [
        _answer(row, labels, distribution, lengths, frequencies)
        for row, distribution in zip(request.rows, predicted, strict=True)
    ]


def label_counts(rows: Sequence[Row]) -> Counter[str]:
    """How many rows have each label."""
    return Counter(row.label for row in rows)


def label_set(rows: Sequence[Row], train: Sequence[Row], labels: list[str] | None) -> list[str]:
    """The labels that a model chooses from: the given ones, or those of train in their order.

    Raises:
        DataError: train or the rows to predict hold another one, or there are fewer than two.
    """
    known = labels or sorted(statistic(train, label_counts))
    for where, checked in (("the rows to predict", rows), ("train", train)):
        if statistic(checked, label_counts).keys() <= set(known):
            continue
        unknown = [row for row in checked if row.label not in known]
        listed = "lacks" if labels else "is null, and train lacks"
        raise DataError(
            f"eval.labels: {listed} {unknown[0].label!r}, the label of row {unknown[0].id} in "
            f"{where} ({len(unknown)} of {len(checked)} have one that is unknown); list all labels "
            "in the task's config, or mend the data"
        )
    if len(known) < 2:
        raise DataError(f"eval.labels: is null, and train has no label but {known[0]!r}")
    return known


def length_corrected(predicted: Distribution, lengths: Sequence[int]) -> np.ndarray:
    """The distribution (labels,) by probability per token: the longer label is not less probable.

    Each label weighs as its mass ^ (mean length / its length), normalized over the labels. They
    rank as by log-probability per token (Brown et al. 2020, "Language Models are Few-Shot
    Learners", 2.4). The mean length, which ranking does not depend on, keeps the scale: labels of
    one length have the distribution as it is, and what training calibrated is not flattened.
    """
    assert predicted.probabilities is not None
    with np.errstate(divide="ignore"):
        log_mass = np.log(predicted.probabilities) + np.log(predicted.mass)
    weights = log_mass * np.mean(lengths) / np.asarray(lengths)
    scores = np.exp(weights - weights.max())
    return scores / scores.sum()


def _answer(
    row: Row,
    labels: Sequence[str],
    predicted: Distribution,
    lengths: Sequence[int],
    frequencies: np.ndarray,
) -> Prediction:
    is_unparsable = predicted.probabilities is None
    distribution = frequencies if is_unparsable else length_corrected(predicted, lengths)
    return {
        "id": row.id,
        "prediction": labels[int(distribution.argmax())],
        "reference": row.label,
        # To significant digits: a mistake that is certain of itself has a finite log loss.
        "probability": float(f"{distribution[labels.index(row.label)]:.6g}"),
        "probabilities": {
            label: round(float(probability), 6)
            for label, probability in zip(labels, distribution, strict=True)
        },
        "outside": round(100 * predicted.outside, 4),
        "unparsable": is_unparsable,
    }


def from_texts(request: TextRequest[Row, LabelEval]) -> list[Prediction]:
    """The labels in the texts of a model that gives no distribution; scores of one are left out.

    Raises:
        DataError: a row has a label that cannot be predicted.
    """
    labels = label_set(request.rows, request.train, request.eval.labels)
    # Where no label is answered, the most frequent one of train stands in, and is counted.
    ((frequent, _),) = statistic(request.train, label_counts).most_common(1)
    predictions: list[Prediction] = []
    for row, answer in zip(request.rows, request.greedy(), strict=True):
        label = label_in(answer.text, labels)
        predictions.append(
            {
                "id": row.id,
                "prediction": frequent if label is None else label,
                "reference": row.label,
                "answer": answer.text,
                **flags(answer),
                "unparsable": label is None,
            }
        )
    return predictions


def label_in(text: str, labels: Sequence[str]) -> str | None:
    """The label that a text is, but for case and punctuation, or the only one that it mentions."""
    same = [label for label in labels if words(label) == words(text)]
    mentioned = [label for label in labels if contains_words(text, label)]
    # A label within another one that is mentioned too is no second one.
    longest = [
        label
        for label in mentioned
        if not any(other != label and contains_words(other, label) for other in mentioned)
    ]
    for chosen in (same, longest):
        if len(chosen) == 1:
            return chosen[0]
    return None
