import itertools

import pytest

from finetune.inference import budgets
from finetune.inference.budgets import Budgets
from finetune.inference.generate import GenerationContext, greedy, sample
from finetune.serving.decoding import Completion, TextRequest, decode

TEXTS = ["Anna: It rains", "Tom: The sun is out, all day long!", "No", "Anna and Tom talk"]


@pytest.fixture(params=["tiny_model", "digits_model"])
def base(request, load):
    return load(request.getfixturevalue(request.param))


@pytest.fixture
def limits(base) -> Budgets:
    return Budgets(256, 40 * 30 * budgets.cache_bytes_per_token(base.model))


def decoded(base, limits, requests, **more) -> list[Completion]:
    found: dict[int, Completion] = {}
    decode(
        base.model, base.tokenizer, limits, requests,
        lambda place, done: found.setdefault(place, done), **more,
    )  # fmt: skip
    return [found[place] for place in range(len(requests))]


def ids(base) -> list[list[int]]:
    return [base.tokenizer(text)["input_ids"] for text in TEXTS]


def test_greedy_answers_are_those_of_generate_each_with_its_own_maximum(base, limits):
    maxima = [12, 3, 8, 1]
    requests = [TextRequest(row, n) for row, n in zip(ids(base), maxima, strict=True)]
    got = decoded(base, limits, requests)
    for row, maximum, completion in zip(ids(base), maxima, got, strict=True):
        context = GenerationContext(base.model, base.tokenizer, limits, maximum, "test")
        (expected,) = greedy(context, [row])
        assert completion.text == expected.text
        assert completion.hit_length_cap == expected.hit_length_cap
        assert completion.num_tokens <= maximum


def test_a_sample_is_the_first_of_generate_with_its_seed(base, limits):
    (completion,) = decoded(base, limits, [TextRequest(ids(base)[0], 10, 1.3, seed=5)])
    context = GenerationContext(base.model, base.tokenizer, limits, 10, "test")
    ((expected,),) = sample(context, [ids(base)[0]], 1, 1.3, 5)
    assert completion.text == expected.text


def test_pieces_make_up_the_text_and_hold_no_half_characters(base, limits):
    for seed in range(6):
        pieces: list[str] = []
        request = TextRequest(ids(base)[0], 24, 2.0, seed, on_text=pieces.append)
        (completion,) = decoded(base, limits, [request])
        assert "".join(pieces) == completion.text
        assert all(pieces)


def test_an_answer_ends_before_the_first_stop_and_its_pieces_too(base, limits):
    (whole,) = decoded(base, limits, [TextRequest(ids(base)[0], 24)])
    stop = whole.text[len(whole.text) // 2 :][:3]
    pieces: list[str] = []
    stops = (stop, "never")
    request = TextRequest(ids(base)[0], 24, stop=stops, on_text=pieces.append)
    (completion,) = decoded(base, limits, [request])
    assert completion.text == whole.text.partition(stop)[0].rstrip() == "".join(pieces)
    assert not completion.hit_length_cap
    assert completion.num_tokens <= whole.num_tokens


def test_of_who_has_left_no_further_token_is_computed(base, limits):
    pieces: list[str] = []
    requests = [TextRequest(ids(base)[0], 20, on_text=pieces.append), TextRequest(ids(base)[1], 6)]
    looks = itertools.count()
    found = {}
    decode(
        base.model, base.tokenizer, limits, requests, found.setdefault,
        lambda place: place == 0 and next(looks) >= 2,
    )  # fmt: skip
    assert 0 not in found
    assert found[1].num_tokens <= 6
    assert len(pieces) <= 3
