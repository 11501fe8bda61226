import gc
import weakref

import pytest
import torch

from finetune.core.schema import Bootstrap, PriceEval, PriceScore, Prompt, SummaryEval, SummaryScore
from finetune.inference import budgets as batch_budgets
from finetune.inference import predict as predicting
from finetune.inference import tree_attention
from finetune.inference.budgets import Budgets
from finetune.inference.generate import Generated
from finetune.inference.predict import Ask, draw
from finetune.inference.reading import Reader
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks import scores
from finetune.tasks.kinds import kind
from finetune.training.examples import encode

DIALOGUES = [
    {"id": "a", "dialogue": "Anna: Hi!", "summary": "Anna says hi."},
    {"id": "b", "dialogue": "Tom: word " * 100, "summary": "Tom talks."},
]
PRODUCTS = [
    {"id": "a", "text": "A lamp of brass", "price": 40.0, "category": None},
    {"id": "b", "text": "A chair", "price": 120.0, "category": "Home"},
]
TRAIN = [
    {"text": "A cup", "price": 10.0},
    {"text": "A table", "price": 70.0},
    {"text": "A bed", "price": 500.0},
]


BUDGETS = Budgets(prompt_tokens=512, cache_bytes=2**28)


def predict(base, model, ask, rows, train, what, shots: int = 0):
    return predicting.predict(base, model, ask, rows, train, what, BUDGETS, shots)


def ask_summary(**changed: object) -> Ask:
    prompt = Prompt(instruction="Go.", cue=":", max_tokens=64, max_completion_tokens=8)
    options = {
        "shots": 0, "seed": 5, "decode": "greedy", "beams": 2, "samples": 3,
        "temperature": 0.7,
    }  # fmt: skip
    return Ask(
        "summarization", prompt, SummaryEval(**(options | changed)), SummaryScore(stemmer=True)
    )


def ask_price(**changed: object) -> Ask:
    prompt = Prompt(instruction="Go.", cue="Price is $", max_tokens=64, max_completion_tokens=8)
    options = {
        "shots": 0, "seed": 5, "estimate": "median", "top_k": 3, "floor": 0.0,
        "least_mass": 0.0,
    }  # fmt: skip
    score = PriceScore(hit_usd=40.0, hit_share=0.2)
    return Ask("price", prompt, PriceEval(**(options | changed)), score)


@pytest.mark.parametrize("decode", ["greedy", "beam", "sample", "mbr"])
def test_summaries_carry_scores_and_what_went_wrong(load, tiny_model, decode):
    base = load(tiny_model)
    rows = predict(base, base.model, ask_summary(decode=decode), DIALOGUES, [], "test")
    assert [row["id"] for row in rows] == ["a", "b"]
    assert [row["reference"] for row in rows] == ["Anna says hi.", "Tom talks."]
    assert [row["prompt_truncated"] for row in rows] == [False, True]
    assert all(row["hit_length_cap"] for row in rows)  # a random model does not stop
    assert all(row["empty"] == (not row["prediction"]) for row in rows)
    assert all(0 <= row["rouge1"] <= 100 for row in rows)
    assert all("shots" not in row for row in rows)


def test_a_row_says_what_was_asked_of_it_whatever_its_id(load, tiny_model):
    base = load(tiny_model)
    first, second = (row["dialogue"] for row in DIALOGUES)
    rows = [{"id": str(n), "dialogue": text, "summary": "x"} for n, text in enumerate([first] * 2)]
    rows.append({"id": "2", "dialogue": second, "summary": "x"})
    one, same, other = predict(base, base.model, ask_summary(), rows, [], "test")
    assert one["input_hash"] == same["input_hash"] != other["input_hash"]


def test_references_carry_what_their_perplexity_is_made_of(load, tiny_model):
    base = load(tiny_model)
    rows = predict(base, base.model, ask_summary(), DIALOGUES, [], "test")
    tokens = [base.tokenizer(row["summary"], add_special_tokens=False) for row in DIALOGUES]
    lengths = [min(8, len(ids["input_ids"]) + 1) for ids in tokens]  # the end token, and the cap
    assert [row["reference_tokens"] for row in rows] == lengths
    assert all(row["reference_nll"] > row["reference_tokens"] for row in rows)


@pytest.mark.parametrize("folder", ["tiny_model", "digits_model"])
def test_prices_are_estimates_of_the_distribution(request, load, folder):
    base = load(request.getfixturevalue(folder))
    found = {
        name: predict(base, base.model, ask_price(estimate=name), PRODUCTS, TRAIN, "test")
        for name in ("median", "greedy", "top_k_mean")
    }
    for name, rows in found.items():
        for row, product in zip(rows, PRODUCTS, strict=True):
            assert row["prediction"] == row["estimates"][name]
            error = abs(row["prediction"] - product["price"])
            assert row["absolute_error"] == pytest.approx(error, abs=0.01)
            assert row["category"] == product["category"]
            assert not row["unparsable"]
    scores = [
        {name: row[name] for name in ("crps", "pit", "covered_50", "covered_90", "outside")}
        for row in found["median"]
    ]
    for row in scores:
        assert row["crps"] >= 0
        assert 0 <= row["pit"][0] <= row["pit"][1] <= 1
        assert row["covered_50"] <= row["covered_90"]
        assert 0 <= row["outside"] < 100
    same = [{name: row[name] for name in scores[0]} for row in found["greedy"]]
    assert same == scores  # they are the distribution's, whatever is made of it


def test_a_row_with_hardly_any_mass_on_prices_counts_as_the_best_constant(load, tiny_model):
    base = load(tiny_model)
    whole = predict(base, base.model, ask_price(), PRODUCTS, TRAIN, "test")
    outside = sorted(row["outside"] for row in whole)
    assert not any(row["unparsable"] for row in whole)
    between = 1 - sum(outside) / 200
    rows = predict(base, base.model, ask_price(least_mass=between), PRODUCTS, TRAIN, "test")
    assert [row["unparsable"] for row in rows] == [row["outside"] == outside[1] for row in rows]
    assert [row["prediction"] == 70.0 for row in rows] == [row["unparsable"] for row in rows]
    assert [row["outside"] for row in rows] == [row["outside"] for row in whole]

    base.model.lm_head.weight.data.fill_(float("nan"))
    rows = predict(base, base.model, ask_price(), PRODUCTS, TRAIN, "test")
    assert [row["unparsable"] for row in rows] == [True, True]
    assert [row["prediction"] for row in rows] == [70.0, 70.0]
    assert [row["crps"] for row in rows] == [30.0, 50.0]  # of a point, the absolute error
    assert [row["pit"] for row in rows] == [[0.0, 0.0], [1.0, 1.0]]
    assert [row["covered_90"] for row in rows] == [0.0, 0.0]
    assert [row["outside"] for row in rows] == [100.0, 100.0]


def test_few_shot_rows_say_how_many_examples_stood_in_their_prompts(load, tiny_model):
    base = load(tiny_model)
    train = [{"dialogue": f"Eva: {n} words", "summary": f"Eva says {n}."} for n in range(5)]
    zero = predict(base, base.model, ask_summary(), DIALOGUES, train, "test")
    rows = predict(base, base.model, ask_summary(), DIALOGUES, train, "test", 2)
    assert [row["shots"] for row in rows] == [2, 2]
    assert not any(row["shots_dropped"] for row in rows)
    assert [row["prompt_truncated"] for row in rows] == [False, True]
    assert [row["reference_nll"] for row in rows] != [row["reference_nll"] for row in zero]

    # Each is cut to what a question may take, and the context does not hold five of them.
    long = [{"dialogue": "Eva: word " * 300, "summary": "Eva talks."}] * 5
    rows = predict(base, base.model, ask_summary(), DIALOGUES, long, "test", 5)
    assert all(0 < row["shots"] < 5 for row in rows)
    assert all(row["shots_dropped"] for row in rows)


def test_a_reference_that_is_cut_for_its_perplexity_is_told(load, tiny_model):
    base = load(tiny_model)
    rows = [{**DIALOGUES[0], "summary": summary} for summary in ("Hi.", "Anna says hi. " * 20)]
    found = predict(base, base.model, ask_summary(), rows, [], "test")
    assert [row["reference_truncated"] for row in found] == [False, True]
    assert found[1]["reference_tokens"] == 8


@pytest.mark.parametrize("folder", ["tiny_model", "digits_model"])
def test_prices_are_asked_for_with_examples_too(request, load, folder):
    base = load(request.getfixturevalue(folder))
    rows = predict(base, base.model, ask_price(floor=0.01), PRODUCTS, TRAIN, "test", 3)
    assert [row["shots"] for row in rows] == [3, 3]


def test_examples_are_drawn_by_the_seed(load, tiny_model):
    train = [{"text": f"Item {n}", "price": float(n)} for n in range(50)]
    drawn = draw("price", train, 3, seed=5)
    assert drawn == draw("price", train, 3, seed=5) != draw("price", train, 3, seed=6)
    assert len({shot.body for shot in drawn}) == 3
    assert len(draw("price", train[:2], 3, seed=5)) == 2  # all that there are


def test_the_prompt_is_the_one_that_training_teaches(load, tiny_model, monkeypatch):
    base = load(tiny_model)
    seen = []

    def generate(writer, prompts, references, *_):
        seen.extend(zip(prompts, references, strict=True))
        return [Generated("x", False, 1.0) for _ in prompts]

    monkeypatch.setattr(predicting, "generate", generate)
    predict(base, base.model, ask_summary(), DIALOGUES, [], "test")
    encoder = PromptEncoder(base.tokenizer, ask_summary().prompt, base.context)
    taught = encode(DIALOGUES, kind("summarization"), encoder).examples
    assert [prompt + reference for prompt, reference in seen] == [
        example["input_ids"] for example in taught
    ]
    bos = base.tokenizer.bos_token_id
    assert all(prompt[0] == bos and prompt.count(bos) == 1 for prompt, _ in seen)


def test_predictions_are_what_a_user_generates_with_the_chat_template(load, tiny_model):
    base = load(tiny_model)
    predictions = predict(base, base.model, ask_summary(), DIALOGUES[:1], [], "test")
    content = f"Go.\n\n{DIALOGUES[0]['dialogue']}"
    ids = base.tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, return_tensors="pt"
    )["input_ids"]
    cue = base.tokenizer(":", add_special_tokens=False, return_tensors="pt")["input_ids"]
    ids = torch.cat([ids, cue], dim=1)
    out = base.model.generate(ids, max_new_tokens=8, do_sample=False)
    own = base.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True).strip()
    assert predictions[0]["prediction"] == own


@pytest.mark.parametrize("kind_name", ["greedy", "mbr", "prices", "prices level by level"])
def test_nothing_of_a_batch_is_kept_while_the_next_one_runs(
    load, digits_model, monkeypatch, kind_name
):
    """Memory does not grow with the rows: of logits and caches, one batch's are alive at a time."""
    base = load(digits_model)
    caches, alive = [], []
    read = Reader.read

    def watched(self, chosen, room):
        gc.collect()
        alive.append(sum(each() is not None for each in caches))
        reading = read(self, chosen, room)
        caches.extend([weakref.ref(reading.logits), weakref.ref(reading.cache.layers[0].held[0])])
        return reading

    monkeypatch.setattr(Reader, "read", watched)
    monkeypatch.setattr(batch_budgets, "MAX_LOGITS", 258 * 200)
    if kind_name == "prices level by level":
        monkeypatch.setattr(tree_attention, "supports", lambda reading: False)
    is_price = kind_name.startswith("prices")
    rows = PRODUCTS * 3 if is_price else DIALOGUES * 3
    ask = ask_price() if is_price else ask_summary(decode=kind_name)
    narrow = Budgets(prompt_tokens=64, cache_bytes=2**28)
    predicting.predict(base, base.model, ask, rows, TRAIN, "test", narrow)
    assert len(alive) > 2
    assert set(alive) == {0}


def test_the_rate_of_generations_that_hit_the_cap_is_a_metric(load, tiny_model):
    base = load(tiny_model)
    rows = predict(base, base.model, ask_summary(), DIALOGUES, [], "test")
    rows[0]["hit_length_cap"] = False
    options = Bootstrap(resamples=100, confidence=0.95, seed=1)
    metrics = scores.metrics("summarization", rows, options, {})
    assert (metrics["hit_length_cap"], metrics["hit_length_cap_share"]) == (1, 50.0)


@pytest.mark.parametrize("decode", ["greedy", "beam", "sample", "mbr"])
def test_the_likelihood_of_references_does_not_depend_on_decoding_or_batches(
    load, tiny_model, decode
):
    base = load(tiny_model)
    rows = predict(base, base.model, ask_summary(decode=decode), DIALOGUES * 2, [], "test")
    for row, source in zip(rows, DIALOGUES * 2, strict=True):
        (alone,) = predict(base, base.model, ask_summary(), [source], [], "test")
        assert row["reference_nll"] == pytest.approx(alone["reference_nll"], rel=1e-4)


@pytest.mark.parametrize("decode", ["greedy", "mbr"])
def test_the_same_rows_give_the_same_predictions_twice(load, tiny_model, decode):
    first, again = (
        predict(base, base.model, ask_summary(decode=decode), DIALOGUES, [], "test")
        for base in (load(tiny_model, "nf4"), load(tiny_model, "nf4"))
    )
    assert first == again
