import pytest
import torch

from finetune.inference import perplexity
from finetune.inference.perplexity import surprise

PAIRS = [
    ("Anna: Hi!", "Anna says hi."),
    ("Anna: The train leaves at 6, so be at the station.", "Anna tells of a train."),
    ("Anna: Ok", "Ok."),
]


@pytest.fixture(params=["tiny_model", "digits_model"])
def base(request, load):
    return load(request.getfixturevalue(request.param))


def encoded(base) -> tuple[list[list[int]], list[list[int]]]:
    prompts = [base.tokenizer(prompt)["input_ids"] for prompt, _ in PAIRS]
    references = [base.tokenizer(text, add_special_tokens=False)["input_ids"] for _, text in PAIRS]
    return prompts, [[*ids, base.tokenizer.eos_token_id] for ids in references]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_it_is_the_loss_of_the_model_itself(base, batch_size):
    prompts, references = encoded(base)
    found = surprise(base.model, prompts, references, batch_size, 0, "test")
    for prompt, reference, nll in zip(prompts, references, found, strict=True):
        labels = torch.tensor([[-100] * len(prompt) + reference])
        with torch.inference_mode():
            loss = base.model(input_ids=torch.tensor([prompt + reference]), labels=labels).loss
        assert nll == pytest.approx(loss.item() * len(reference), rel=1e-4)


def test_a_wide_vocabulary_is_read_in_smaller_batches(base, monkeypatch):
    prompts, references = encoded(base)
    expected = surprise(base.model, prompts, references, 3, 0, "test")
    monkeypatch.setattr(perplexity, "LOGITS", 1)
    assert surprise(base.model, prompts, references, 3, 0, "test") == pytest.approx(expected)
