"""Trains a model at a provider and asks it, as the stages do: a process for a test to kill."""

import logging
import sys
from pathlib import Path

from finetune.core.schema import Api, HostedRun, Method, Model, Prices, Prompt, Run, Train
from finetune.hosted import prices
from finetune.hosted.answers import Asker, Store
from finetune.hosted.client import Client
from finetune.hosted.messages import conversation
from finetune.inference.written import Decoding
from finetune.methods import hosted
from finetune.tasks.summarization.rows import Row

VARIABLE = "TEST_PROVIDER_KEY"
PROMPT = Prompt(instruction="Summarize.", cue="Summary:\n", max_tokens=99, max_completion_tokens=9)
ROWS = [Row(id=str(n), dialogue=f"Anna: Is it {n}?", summary=f"It is {n}.") for n in range(24)]
METHOD = Method(
    tuner="hosted", quantization="none", double_quantization=False, compute_dtype="auto"
)


def parameters(url: str, **changed: object) -> tuple[Model, Run, Train]:
    """The sections of a run against the provider at `url`."""
    run = Run(
        token_budget="auto", eval_token_budget="auto", cache_gb="auto", memory_gb=None,
        save_minutes=10.0, push_state=False, logging_steps=None, usd_per_hour=None,
        hosted=HostedRun(concurrency=3, timeout_seconds=5.0, max_retries=3, poll_seconds=0.02),
        hosted_prices=Prices(training=3.0, input=1.0, output=2.0),
    ).model_copy(update=changed)  # fmt: skip
    train = Train(
        epochs=2.0, max_steps=None, batch_size=4, learning_rate=0.1, warmup_ratio=0.0,
        schedule="cosine", weight_decay=0.0, max_grad_norm=1.0, num_evals=1, seed=1,
        deterministic=False,
    )  # fmt: skip
    api = Api(base_url=url, key_variable=VARIABLE)
    model = Model(name="small-1", source="hosted", revision=None, watch="src", api=api)
    return model, run, train


def main(url: str) -> None:
    """Train, then answer all rows; what was answered is written to answers.txt."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    model, run, options = parameters(url)
    trained = hosted.train(model, METHOD, options, PROMPT, run, (ROWS, ROWS[:12]), "samsum")
    trained.save(Path("models/samsum"))
    with Client(model.api, run.hosted) as client:
        rates = prices.rates(run.hosted_prices, is_tuned=False)
        name = trained.tuned.fine_tuned_model
        asker = Asker(client, model, name, rates, run, Store(Path(".runstate/predict")))
        prompts = [conversation(PROMPT, row.input) for row in ROWS]
        answers = asker.ask(prompts, Decoding(), 9, "predict")
    Path("answers.txt").write_text("\n".join(answer.text for (answer,) in answers))


if __name__ == "__main__":
    main(sys.argv[1])
