"""Predictions of a model behind an API: its texts, from which each kind reads its answers."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.core import runstate
from finetune.core.errors import ParamsError
from finetune.core.interrupts import Interrupted
from finetune.core.rows import TaskRow
from finetune.core.rows_file import for_prompt
from finetune.core.schema import Eval, Model, Run
from finetune.core.text import input_hash
from finetune.hosted import prices
from finetune.hosted import tuned as tuned_model
from finetune.hosted.answers import Asker, Store
from finetune.hosted.client import Client
from finetune.hosted.messages import conversation
from finetune.inference.predict import Prediction, draw
from finetune.inference.resuming import Clock
from finetune.inference.written import Decoding, TextRequest, Written
from finetune.predictors.local import TaskSpec
from finetune.tasks import registry


@dataclass(frozen=True)
class Hosted:
    """The predictor of a hosted model."""

    asker: Asker
    clock: Clock

    def predict(
        self,
        task: TaskSpec,
        rows: Sequence[TaskRow],
        train: Sequence[TaskRow],
        what: str,
        shots: int = 0,
    ) -> Iterator[Prediction]:
        """See `registry.Predictor`.

        Prompts are sent whole: there is no tokenizer to truncate by.
        """
        draws = task.eval.draws if shots or task.eval.is_random else 1
        for k in range(draws):
            seeded = task.eval.model_copy(update={"seed": task.eval.seed + k})
            named = f"{what}, draw {k + 1} of {draws}" if k else what
            drawn = self._draw(task, seeded, rows, train, named, shots)
            yield from ({**row, "draw": k} for row in drawn) if k else drawn

    def _draw(
        self,
        task: TaskSpec,
        options: Eval,
        rows: Sequence[TaskRow],
        train: Sequence[TaskRow],
        what: str,
        shots: int,
    ) -> list[Prediction]:
        prompt = task.prompt
        rows, train = [row.for_prompt(prompt) for row in rows], for_prompt(train, prompt)
        examples = [(shot.body, shot.target) for shot in draw(train, shots, options.seed)]
        prompts = [conversation(prompt, row.input, examples) for row in rows]

        def ask(decoding: Decoding) -> list[list[Written]]:
            return self.asker.ask(prompts, decoding, prompt.max_completion_tokens, what)

        request = TextRequest(rows=rows, train=train, eval=options, prompt=prompt, ask=ask)
        predictions = registry.from_texts(task.kind)(request)
        for row, prediction in zip(rows, predictions, strict=True):
            prediction["input_hash"] = input_hash(row.input)
            prediction["prompt_truncated"] = False
            if shots:
                prediction |= {"shots": len(examples), "shots_dropped": False}
        return predictions

    def truncated(
        self, task: TaskSpec, rows: Sequence[TaskRow], name: str, split: str, most: float
    ) -> dict[str, int]:
        """Nothing is: see `predict`."""
        return {}

    def general_text(self, what: str) -> list[dict[str, Any]]:
        """None: a hosted model gives no likelihoods."""
        return []

    def metrics(self) -> dict[str, Any]:
        """See `registry.Predictor`.

        Tokens are the provider's count, of all processes of the run; requests those of this one.
        """
        client, usage = self.asker.client, self.asker.store.usage
        cost = self.asker.rates.cost(usage)
        return {
            "engine": "hosted",
            "provider": client.host,
            "minutes": round(self.clock.seconds / 60, 2),
            "answers": len(self.asker.store),
            "resumed_rows": self.asker.store.resumed,
            "requests": client.requests,
            "retries": client.retries,
            "input_tokens": usage.input,
            "output_tokens": usage.output,
            **({} if cost is None else {"usd": round(cost, 6)}),
        }


@contextlib.contextmanager
def opened(model: Model, run: Run, run_state: Path, tuned: Path | None) -> Iterator[Hosted]:
    """The predictor of a hosted model, or of the one that a job in the folder `tuned` made of it.

    Raises:
        ParamsError: the environment holds no key, or the model is none that can be asked.
        Interrupted: Ctrl-C; answers so far are kept.
    """
    if model.api is None:
        raise ParamsError("model.api: is not set; -S model=hosted has it")
    name = model.name if tuned is None else tuned_model.load(tuned).fine_tuned_model
    with Client(model.api, run.hosted) as client, runstate.locked(run_state, run.push_state):
        store, clock = Store(run_state), Clock(run_state)
        rates = prices.rates(run.hosted_prices, is_tuned=tuned is not None)

        def saved() -> None:
            clock.save()
            runstate.saved(run_state)

        try:
            yield Hosted(Asker(client, model, name, rates, run, store, saved), clock)
        except KeyboardInterrupt:
            raise Interrupted(
                f"{len(store)} answers are kept; the same command asks for the others"
            ) from None
        finally:
            clock.save()
