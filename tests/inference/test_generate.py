import pytest
import torch

from finetune.core.schema import TextEval
from finetune.inference import generate as generating
from finetune.inference.budgets import Budgets
from finetune.inference.generate import (
    Generated,
    GenerationContext,
    beam_search,
    generate,
    greedy,
    sample,
)

TEXTS = ["Anna: Hi!", "Tom: The train leaves at 6, so be at the station in time.", "Eva: Ok"]


@pytest.fixture
def base(load, tiny_model):
    return load(tiny_model)


@pytest.fixture
def prompts(base) -> list[list[int]]:
    return [base.tokenizer(text)["input_ids"] for text in TEXTS]


def context(base, prompt_tokens: int = 1000, max_new_tokens: int = 8) -> GenerationContext:
    """With a prompt budget of 1, each row is a batch of its own."""
    budgets = Budgets(prompt_tokens, cache_bytes=2**24)
    return GenerationContext(base.model, base.tokenizer, budgets, max_new_tokens, "test")


def options(**changed: object) -> TextEval:
    defaults = {
        "shots": 0, "seed": 5, "decode": "greedy", "beams": 3, "samples": 4,
        "temperature": 0.7,
    }  # fmt: skip
    return TextEval(**(defaults | changed))


@torch.inference_mode()
def own(base, ids: list[int], **how: object) -> str:
    """What a user's own `generate` writes."""
    out = base.model.generate(torch.tensor([ids]), max_new_tokens=8, **how)
    return base.tokenizer.decode(out[0, len(ids) :], skip_special_tokens=True).strip()


@torch.inference_mode()
def first_token(base, ids: list[int]) -> int:
    return base.model(input_ids=torch.tensor([ids])).logits[0, -1].argmax().item()


def test_batches_give_what_single_prompts_give(base, prompts):
    together = greedy(context(base), prompts)
    assert together == [greedy(context(base, 1), [ids])[0] for ids in prompts]


def test_it_is_the_users_own_greedy_generate(base, prompts):
    expected = [own(base, ids, do_sample=False) for ids in prompts]
    assert [answer.text for answer in greedy(context(base), prompts)] == expected


def test_so_it_is_when_answers_end_at_different_times(base, prompts):
    # End tokens are made of what the answers hold at different places.
    written = [greedy(context(base, 1), [ids])[0].text for ids in prompts]
    tokens = [base.tokenizer(text, add_special_tokens=False)["input_ids"] for text in written]
    base.model.generation_config.eos_token_id = [1, tokens[0][3], tokens[1][5]]
    answers = greedy(context(base), prompts)
    expected = []
    for ids in prompts:
        with torch.inference_mode():
            out = base.model.generate(torch.tensor([ids]), max_new_tokens=8)[0, len(ids) :].tolist()
        expected.append(context(base).to_generated(out))
    assert answers == expected
    assert len({len(base.tokenizer(answer.text)["input_ids"]) for answer in answers}) > 1


def test_an_answer_ends_at_the_end_token_or_is_marked_as_truncated(base, prompts):
    (truncated,) = greedy(context(base, 1, 4), prompts[:1])
    assert truncated.hit_length_cap
    base.model.generation_config.eos_token_id = [first_token(base, prompts[0])]
    (ended,) = greedy(context(base, 1, 4), prompts[:1])
    assert ended == Generated("", hit_length_cap=False)


def test_beam_is_the_users_own_beam_search(base, prompts):
    expected = [own(base, ids, num_beams=3) for ids in prompts]
    answers = generate(context(base), prompts, None, options(decode="beam"))
    assert [answer.text for answer in answers] == expected
    assert answers == beam_search(context(base, 1), prompts, 3)  # in batches of one, too
    assert expected != [own(base, ids, do_sample=False) for ids in prompts]


def test_samples_are_the_same_whatever_ran_before_and_however_they_are_batched(base, prompts):
    torch.manual_seed(1)
    first = sample(context(base), prompts, 4, 1.0, seed=5)
    torch.manual_seed(2)
    assert sample(context(base, 30), prompts, 4, 1.0, seed=5) == first
    assert sample(context(base, 1), prompts, 4, 1.0, seed=5) == first
    assert [len(answers) for answers in first] == [4, 4, 4]
    assert sample(context(base), prompts, 4, 1.0, seed=6) != first


def test_the_first_samples_do_not_depend_on_how_many_there_are(base, prompts):
    (one, *_), (first, *_) = (sample(context(base), prompts, n, 1.0, seed=5) for n in (1, 4))
    assert one == first[:1]


def test_tokens_are_drawn_as_often_as_the_model_says(base, prompts):
    (answers,) = sample(context(base, 500, 1), prompts[:1], 2000, 0.5, seed=1)
    with torch.inference_mode():
        logits = base.model(input_ids=torch.tensor(prompts[:1])).logits[0, -1]
    probability, token = (logits.double() / 0.5).softmax(-1).max(-1)
    text = base.tokenizer.decode([token], skip_special_tokens=True).strip()
    share = sum(answer.text == text for answer in answers) / 2000
    assert share == pytest.approx(probability.item(), abs=0.05)


def test_at_a_temperature_near_zero_samples_are_greedy(base, prompts):
    answers = generate(context(base), prompts, None, options(decode="sample", temperature=1e-4))
    assert answers == greedy(context(base), prompts)


def test_minimum_bayes_risk_keeps_the_candidate_most_like_the_others(base, prompts, monkeypatch):
    candidates = [Generated(text, False) for text in ("x", "Tom is late now", "Tom is late", "")]
    monkeypatch.setattr(generating, "sample", lambda *args: [candidates] * 3)
    answers = generate(context(base), prompts, None, options(decode="mbr"))
    assert [answer.text for answer in answers] == ["Tom is late now"] * 3


def test_minimum_bayes_risk_chooses_among_its_samples(base, prompts):
    answers = generate(context(base), prompts, None, options(decode="mbr"))
    candidates = sample(context(base), prompts, 4, 0.7, seed=5)
    assert all(answer in group for answer, group in zip(answers, candidates, strict=True))
