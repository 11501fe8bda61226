"""Test rows whose answers are known, asked of the running server once more."""

import random

from finetune.core.errors import UserError
from finetune.core.schema import Task
from finetune.monitoring.reference import Reference
from finetune.scoring.metrics import Prediction
from finetune.serving import purpose
from finetune.serving.measure import Target
from finetune.tasks import registry


def differing(
    url: str, model: str, options: Task, reference: Reference, count: int, seed: int
) -> tuple[list[str], int]:
    """The ids of test rows with another answer than the committed one, and how many were asked.

    Always the same rows, drawn by the seed.

    Raises:
        UserError: the server does not answer, or its answers need not be those of `predict`.
    """
    if options.eval.is_random:
        raise UserError(
            f"{model}: its answers are sampled, so that a row may be answered otherwise each time; "
            "leave out --url, or name other tasks by --task"
        )
    endpoint = registry.endpoint(options.kind)
    if endpoint is None and options.has_numbers:
        raise UserError(f"{model}: has no endpoint of its own, and a chat gives no distribution")
    places = range(len(reference.test))
    chosen = sorted(random.Random(seed).sample(places, min(count, len(places))))
    target = Target(
        url.rstrip("/"), model, options, endpoint, takes_truncate=True, purpose=purpose.CANARY
    )
    answers = target.predictions([reference.test[place] for place in chosen], reference.train)
    known = [reference.predictions[place] for place in chosen]
    return [
        row["id"] for row, answer in zip(known, answers, strict=True) if _read(row) != _read(answer)
    ], len(chosen)


def _read(prediction: Prediction) -> tuple[object, bool]:
    """The prediction, and whether it stands in for no answer."""
    # A server's answer that is one has no such flag; `predict` writes false.
    return prediction["prediction"], bool(prediction.get("unparsable"))
