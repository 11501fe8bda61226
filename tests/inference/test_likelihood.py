import pytest
import torch

from finetune.inference.budgets import Budgets
from finetune.inference.likelihood import negative_log_likelihoods
from finetune.inference.prefill import Prefiller

BUDGETS = Budgets(1000, cache_bytes=2**24)
PAIRS = [
    ("Anna: Hi!", "Anna says hi."),
    ("Anna: The train leaves at 6, so be at the station.", "Anna tells of a train."),
    ("Anna: Ok", "Ok."),
    ("Anna: Bye", ""),  # the end token alone
]


@pytest.fixture(params=["tiny_model", "digits_model"])
def base(request, load):
    return load(request.getfixturevalue(request.param))


def encoded(base) -> tuple[list[list[int]], list[list[int]]]:
    prompts = [base.tokenizer(prompt)["input_ids"] for prompt, _ in PAIRS]
    references = [base.tokenizer(text, add_special_tokens=False)["input_ids"] for _, text in PAIRS]
    return prompts, [[*ids, base.tokenizer.eos_token_id] for ids in references]


def prefilled(base, prompts, extra_columns: int):
    return Prefiller(base.model, prompts, 0, BUDGETS).prefill(range(len(prompts)), extra_columns)


@torch.inference_mode()
def own_loss(base, prompt: list[int], reference: list[int]) -> float:
    labels = torch.tensor([[-100] * len(prompt) + reference])
    loss = base.model(input_ids=torch.tensor([prompt + reference]), labels=labels).loss
    return loss.item() * len(reference)


@pytest.mark.parametrize("extra_columns", [0, 40])
@pytest.mark.parametrize("token_budget", [1, 30, 1000])
def test_it_is_the_loss_of_the_model_itself(base, token_budget, extra_columns):
    prompts, references = encoded(base)
    nlls = negative_log_likelihoods(
        prefilled(base, prompts, extra_columns), references, token_budget
    )
    expected = [own_loss(base, *pair) for pair in zip(prompts, references, strict=True)]
    assert nlls == pytest.approx(expected, rel=1e-4)


def test_the_prompts_can_be_decoded_after_it_as_before(base):
    prompts, references = encoded(base)
    batch = prefilled(base, prompts, extra_columns=40)
    negative_log_likelihoods(batch, references, 30)
    untouched = prefilled(base, prompts, extra_columns=40)
    for each in (batch, untouched):
        each.extend(torch.tensor([[7]] * len(prompts)))
    assert torch.equal(batch.logits, untouched.logits)


def test_no_more_tokens_are_scored_at_once_than_the_budget_holds(base, monkeypatch):
    prompts, references = encoded(base)
    batch = prefilled(base, prompts, extra_columns=40)
    seen = []
    forward = type(batch).forward
    monkeypatch.setattr(
        type(batch), "forward", lambda *args: seen.append(args[1].numel()) or forward(*args)
    )
    negative_log_likelihoods(batch, references, 15)
    assert len(seen) > 1
    assert max(seen) <= max(15, *map(len, references))
