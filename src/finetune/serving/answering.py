"""What the queue's thread does with a batch of requests for one model."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, cast

from finetune.core.rows import TaskRow
from finetune.inference.predict import EvalSpec, predict
from finetune.modeling import precision
from finetune.serving.batching import Job
from finetune.serving.decoding import Completion, TextRequest, decode
from finetune.serving.models import ENGINE, Attached, Served

# The two forms of a request, the second half of a group's key beside the model's name.
TYPED, TEXT = "typed", "text"


class Answering:
    """Computes batches; of one thread alone, which the models belong to from then on."""

    def __init__(self, models: Mapping[str, Served]) -> None:
        self._models = models
        self._attached = Attached()

    def __call__(self, group: Hashable, jobs: Sequence[Job]) -> None:
        """Answer each job of a group, (model, form)."""
        name, form = cast(tuple[str, str], group)
        served = self._models[name]
        self._attached.use(served)
        if form == TYPED:
            answers = typed_answers(served, [job.work for job in jobs])
            for job, answer in zip(jobs, answers, strict=True):
                job.answer(answer)
            return
        requests: list[TextRequest] = [job.work for job in jobs]

        def answered(place: int, completion: Completion) -> None:
            jobs[place].answer(completion)

        with precision.autocast(served.model, served.base.dtype):
            decode(
                served.model,
                served.base.tokenizer,
                served.budgets,
                requests,
                answered,
                lambda place: jobs[place].is_left,
            )


def typed_answers(served: Served, rows: Sequence[TaskRow]) -> list[dict[str, Any]]:
    """What the kind's endpoint answers to rows, by the code path of `predict`."""
    assert served.endpoint is not None
    spec = EvalSpec(served.options.prompt, served.options.eval, served.endpoint.answers, ENGINE)
    what = f"serve {served.name}"
    answers = predict(served.base, served.model, spec, rows, (), what, served.budgets)
    for answer in answers:
        del answer["input_hash"]
    return answers
