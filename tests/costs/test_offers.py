"""Hosted prices: of the list, and of a run that asked."""

import json

import pytest
import yaml

from finetune.comparing.sources import Source
from finetune.core import params
from finetune.core.errors import ParamsError, UserError
from finetune.costs import offers
from finetune.costs.offers import Request
from finetune.hosted.messages import conversation
from finetune.hosted.prices import Rates
from finetune.tasks import registry


def test_a_request_is_the_mean_row_in_estimated_tokens(settings):
    options = settings.tasks["samsum"]
    row = registry.rows(options.kind).Row
    rows = [row(id=str(i), dialogue="Anna: Hello " * i, summary="She greets.") for i in (1, 2, 3)]
    request = offers.request(rows, options.prompt, 4.0)
    content = [conversation(options.prompt, each.input)[0]["content"] for each in rows]
    assert request.input == pytest.approx(sum(map(len, content)) / 4 / 3 + 6)
    assert request.output == pytest.approx(len("She greets.") / 4)


def test_a_list_price_is_that_of_its_day_and_costs_tokens():
    rates = offers.list_price("openai:gpt-4.1-nano", "2026-11-22")
    assert rates == Rates(0.1, 0.4)
    assert Request(1000, 100).usd(rates) == pytest.approx(0.00014)


def test_what_one_price_is_missing_of_costs_nobody_knows_what():
    assert Request(1000, 100).usd(Rates(None, 0.4)) is None
    assert Request(1000, 100).usd(Rates(0.4, None)) is None


@pytest.mark.parametrize(
    ("name", "date", "said"),
    [
        ("openai:none-such", "2026-11-22", "run.costs.hosted.models: openai:none-such: Unable"),
        ("nobody:gpt-4.1", "2026-11-22", "run.costs.hosted.models: nobody:gpt-4.1: Unable"),
        ("openai:gpt-4.1-nano", "2026-13-22", "run.costs.hosted.date: is 2026-13-22"),
    ],
)
def test_a_model_or_a_day_that_there_is_not_is_one_line(name, date, said):
    with pytest.raises(ParamsError, match=said):
        offers.list_price(name, date)


def run_of(settings, texts: dict[str, str], **hosted_prices: float) -> Source:
    content = {**texts, "params.yaml": params_text(settings, hosted_prices)}
    content.setdefault("dvc.lock", lock(settings, "gpt-x", "md5"))
    return Source(content.__getitem__, lambda _: [])


def lock(settings, model: str, scored: str) -> str:
    """That the base model's answers are of `model`; what was scored last has the hash `scored`."""
    answers = "predictions/samsum/base.jsonl"
    return yaml.safe_dump({"stages": {
        "base@samsum": {
            "params": {"params.yaml": {"model": {"name": model, "source": "hosted"}}},
            "outs": [{"path": answers, "md5": "md5"}],
        },
        "evaluate_base@samsum": {"deps": [{"path": answers, "md5": scored}]},
        # As it was before the model was another one.
        "predict@samsum": {
            "params": {"params.yaml": {"model": settings.model.model_dump(mode="json")}},
            "outs": [{"path": "predictions/samsum/tuned.jsonl", "md5": "a"}],
        },
        "evaluate@samsum": {"deps": [{"path": "predictions/samsum/tuned.jsonl", "md5": "a"}]},
    }})  # fmt: skip


def params_text(settings, hosted_prices) -> str:
    values = settings.model_dump(mode="json")
    if hosted_prices:
        values["model"] |= {
            "name": "gpt-x", "source": "hosted",
            "api": {
                "base_url": "https://api.example.com/v1", "key_variable": "KEY",
                "max_tokens_field": "max_tokens", "hyperparameters_field": "method",
                "request": {},
            },
        }  # fmt: skip
        values["run"]["hosted_prices"] = hosted_prices
    return yaml.safe_dump(values)


def test_a_run_of_a_hosted_model_gives_its_prices_and_its_scores(settings):
    scores = {"rouge1": 40.0, "interval": {"rouge1": {"low": 39.0, "high": 41.0}}, "n": 200}
    texts = {
        "metrics/samsum/base.json": json.dumps({"samsum": {"base": scores}}),
        "metrics/samsum/tuned.json": json.dumps({"samsum": scores}),
    }
    source = run_of(settings, texts, input=1.0, output=2.0)
    (offer,) = offers.of_run(source, "asked", "samsum", Request(100, 10))
    assert (offer.name, offer.usd, offer.scores) == ("gpt-x", pytest.approx(0.00012), scores)
    assert "asked" in offer.origin


def test_a_run_of_no_hosted_model_is_refused(settings):
    with pytest.raises(UserError, match=r"here: is of .* no hosted model"):
        offers.of_run(run_of(settings, {}), "here", "samsum", Request(100, 10))


def test_scores_of_another_model_that_a_run_still_has_are_not_its_own(settings):
    for stale in (lock(settings, "gpt-y", "md5"), lock(settings, "gpt-x", "other"), "{}"):
        source = run_of(settings, {"dvc.lock": stale}, input=1.0)
        assert offers.of_run(source, "asked", "samsum", Request(100, 10)) == []


def test_the_default_models_are_in_the_list(settings):
    for name in settings.run.costs.hosted.models:
        rates = offers.list_price(name, settings.run.costs.hosted.date)
        assert rates.input
        assert rates.output


def test_params_of_an_older_run_have_no_assumptions(settings):
    values = settings.model_dump(mode="json")
    del values["run"]["costs"]
    assert params.validate(values, "older").run.costs is None
