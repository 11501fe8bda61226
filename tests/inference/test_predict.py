import gc
import weakref
from dataclasses import replace

import pytest
import torch

from finetune.core.schema import Prompt, TextEval
from finetune.inference import budgets as batch_budgets
from finetune.inference import predict as predicting
from finetune.inference import tree_attention
from finetune.inference.budgets import Budgets
from finetune.inference.engines import builtin
from finetune.inference.generate import Generated
from finetune.inference.predict import EvalSpec, draw
from finetune.inference.prefill import Prefiller
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks.price import predict as price_predict
from finetune.tasks.price.options import PriceEval
from finetune.tasks.price.rows import Row as Product
from finetune.tasks.summarization import predict as summary_predict
from finetune.tasks.summarization.rows import Row as Dialogue
from finetune.training.examples import encode

DIALOGUES = [
    Dialogue(id="a", dialogue="Anna: Hi!", summary="Anna says hi."),
    Dialogue(id="b", dialogue="Tom: word " * 100, summary="Tom talks."),
]
PRODUCTS = [
    Product(id="a", text="A lamp of brass", price=40.0, category=None),
    Product(id="b", text="A chair", price=120.0, category="Home"),
]
TRAIN = [
    Product(id=text, text=text, price=price, category=None)
    for text, price in (("A cup", 10.0), ("A table", 70.0), ("A bed", 500.0))
]


BUDGETS = Budgets(prompt_tokens=512, cache_bytes=2**28)


def predict(base, model, spec, rows, train, what, shots: int = 0):
    return predicting.predict(base, model, spec, rows, train, what, BUDGETS, shots)


def ask_summary(**changed: object) -> EvalSpec:
    prompt = Prompt(instruction="Go.", cue=":", max_tokens=64, max_completion_tokens=8)
    options = {
        "shots": 0, "seed": 5, "decode": "greedy", "beams": 2, "samples": 3,
        "temperature": 0.7,
    }  # fmt: skip
    return EvalSpec(prompt, TextEval(**(options | changed)), summary_predict.answers)


def ask_price(**changed: object) -> EvalSpec:
    prompt = Prompt(instruction="Go.", cue="Price is $", max_tokens=64, max_completion_tokens=8)
    options = {
        "shots": 0, "seed": 5, "estimate": "median", "top_k": 3, "prune_below": 0.0,
        "min_mass": 0.0,
    }  # fmt: skip
    return EvalSpec(prompt, PriceEval(**(options | changed)), price_predict.answers)


@pytest.mark.parametrize("decode", ["greedy", "beam", "sample", "mbr"])
def test_summaries_carry_what_went_wrong(load, tiny_model, decode):
    base = load(tiny_model)
    rows = predict(base, base.model, ask_summary(decode=decode), DIALOGUES, [], "test")
    assert [row["id"] for row in rows] == ["a", "b"]
    assert [row["reference"] for row in rows] == ["Anna says hi.", "Tom talks."]
    assert [row["prompt_truncated"] for row in rows] == [False, True]
    assert all(row["hit_length_cap"] for row in rows)  # a random model does not stop
    assert all(row["empty"] == (not row["prediction"]) for row in rows)
    assert all("shots" not in row for row in rows)


def test_a_row_says_what_was_asked_of_it_whatever_its_id(load, tiny_model):
    base = load(tiny_model)
    first, second = (row.dialogue for row in DIALOGUES)
    rows = [
        Dialogue(id=str(n), dialogue=text, summary="x")
        for n, text in enumerate([first, first, second])
    ]
    one, same, other = predict(base, base.model, ask_summary(), rows, [], "test")
    assert one["input_hash"] == same["input_hash"] != other["input_hash"]


def test_references_carry_what_their_perplexity_is_made_of(load, tiny_model):
    base = load(tiny_model)
    rows = predict(base, base.model, ask_summary(), DIALOGUES, [], "test")
    tokens = [base.tokenizer(row.summary, add_special_tokens=False) for row in DIALOGUES]
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
            assert (row["reference"], row["category"]) == (product.price, product.category)
            assert not row["unparsable"]
    scores = [
        {
            name: row[name]
            for name in ("crps", "crps_charged", "pit", "covered_50", "covered_90", "outside")
        }
        for row in found["median"]
    ]
    for row in scores:
        assert 0 <= row["crps"] <= row["crps_charged"]
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
    rows = predict(base, base.model, ask_price(min_mass=between), PRODUCTS, TRAIN, "test")
    assert [row["unparsable"] for row in rows] == [row["outside"] == outside[1] for row in rows]
    assert [row["prediction"] == 70.0 for row in rows] == [row["unparsable"] for row in rows]
    assert [row["outside"] for row in rows] == [row["outside"] for row in whole]

    base.model.lm_head.weight.data.fill_(float("nan"))
    rows = predict(base, base.model, ask_price(), PRODUCTS, TRAIN, "test")
    assert [row["unparsable"] for row in rows] == [True, True]
    assert [row["prediction"] for row in rows] == [70.0, 70.0]
    assert [row["crps"] for row in rows] == [30.0, 50.0]  # of a point, the absolute error
    # Not to answer is charged all that a price could be off by: nothing is free of charge.
    assert [row["crps_charged"] for row in rows] == [
        max(product.price, 999 - product.price) for product in PRODUCTS
    ]
    assert [(row["continuation"], row["continues"]) for row in rows] == [(0.0, False)] * 2
    assert [row["pit"] for row in rows] == [[0.0, 0.0], [1.0, 1.0]]
    assert [row["covered_90"] for row in rows] == [0.0, 0.0]
    assert [row["outside"] for row in rows] == [100.0, 100.0]


def test_further_draws_take_other_examples_and_follow_the_first(load, tiny_model):
    base = load(tiny_model)
    spec = ask_price(draws=3)

    def ask(which, spec: EvalSpec, shots: int) -> list[dict]:
        return list(which(base, base.model, spec, PRODUCTS, TRAIN, "test", BUDGETS, shots))

    rows = ask(predicting.predict_draws, spec, 1)
    assert [row.get("draw") for row in rows] == [None, None, 1, 1, 2, 2]
    for k in range(3):
        alone = ask(predicting.predict, ask_price(seed=5 + k), 1)
        assert [{**row, "draw": k} if k else row for row in alone] == rows[2 * k : 2 * k + 2]
    # Neither examples nor answers are drawn.
    assert ask(predicting.predict_draws, spec, 0) == ask(predicting.predict, spec, 0)


def test_more_rows_than_a_window_are_answered_window_by_window(load, tiny_model, monkeypatch):
    base = load(tiny_model)
    whole = predict(base, base.model, ask_summary(), DIALOGUES, DIALOGUES, "test", 1)
    monkeypatch.setattr(predicting, "WINDOW", 1)
    asked = []
    spec = replace(ask_summary(), answers=lambda request: asked.append(request) or [
        {"id": row.id} for row in request.rows
    ])  # fmt: skip
    predict(base, base.model, spec, DIALOGUES, DIALOGUES, "test")
    assert [request.what for request in asked] == [
        "test, rows 1 to 1 of 2", "test, rows 2 to 2 of 2",
    ]  # fmt: skip
    assert len({request.eval.seed for request in asked}) == 2  # no row draws another's numbers
    windows = predict(base, base.model, ask_summary(), DIALOGUES, DIALOGUES, "test", 1)
    for row in (*whole, *windows):
        row["reference_nll"] = pytest.approx(row["reference_nll"], rel=1e-4)
    assert windows == whole


def test_few_shot_rows_say_how_many_examples_stood_in_their_prompts(load, tiny_model):
    base = load(tiny_model)
    train = [
        Dialogue(id=str(n), dialogue=f"Eva: {n} words", summary=f"Eva says {n}.") for n in range(5)
    ]
    zero = predict(base, base.model, ask_summary(), DIALOGUES, train, "test")
    rows = predict(base, base.model, ask_summary(), DIALOGUES, train, "test", 2)
    assert [row["shots"] for row in rows] == [2, 2]
    assert not any(row["shots_dropped"] for row in rows)
    assert [row["prompt_truncated"] for row in rows] == [False, True]
    assert [row["reference_nll"] for row in rows] != [row["reference_nll"] for row in zero]

    # Each is cut to what a question may take, and the context does not hold five of them.
    long = [Dialogue(id="x", dialogue="Eva: word " * 300, summary="Eva talks.")] * 5
    rows = predict(base, base.model, ask_summary(), DIALOGUES, long, "test", 5)
    assert all(0 < row["shots"] < 5 for row in rows)
    assert all(row["shots_dropped"] for row in rows)


def test_a_reference_that_is_truncated_for_its_perplexity_is_flagged(load, tiny_model):
    base = load(tiny_model)
    rows = [
        DIALOGUES[0].model_copy(update={"summary": summary})
        for summary in ("Hi.", "Anna says hi. " * 20)
    ]
    found = predict(base, base.model, ask_summary(), rows, [], "test")
    assert [row["reference_truncated"] for row in found] == [False, True]
    assert found[1]["reference_tokens"] == 8


@pytest.mark.parametrize("folder", ["tiny_model", "digits_model"])
def test_prices_are_asked_for_with_examples_too(request, load, folder):
    base = load(request.getfixturevalue(folder))
    rows = predict(base, base.model, ask_price(prune_below=0.01), PRODUCTS, TRAIN, "test", 3)
    assert [row["shots"] for row in rows] == [3, 3]


def test_examples_are_drawn_by_the_seed(load, tiny_model):
    train = [TRAIN[0].model_copy(update={"text": f"Item {n}"}) for n in range(50)]
    drawn = draw(train, 3, seed=5)
    assert drawn == draw(train, 3, seed=5) != draw(train, 3, seed=6)
    assert len({shot.body for shot in drawn}) == 3
    assert len(draw(train[:2], 3, seed=5)) == 2  # all that there are


def test_the_prompt_is_the_one_that_training_teaches(load, tiny_model, monkeypatch):
    base = load(tiny_model)
    seen = []

    def generate(context, prompts, references, *_):
        seen.extend(zip(prompts, references, strict=True))
        return [Generated("x", False, 1.0) for _ in prompts]

    monkeypatch.setattr(builtin, "generate", generate)
    predict(base, base.model, ask_summary(), DIALOGUES, [], "test")
    encoder = PromptEncoder(base.tokenizer, ask_summary().prompt, base.context)
    taught = encode(DIALOGUES, encoder)
    assert [prompt + reference for prompt, reference in seen] == [
        example["input_ids"] for example in taught
    ]
    bos = base.tokenizer.bos_token_id
    assert all(prompt[0] == bos and prompt.count(bos) == 1 for prompt, _ in seen)


def test_predictions_are_what_a_user_generates_with_the_chat_template(load, tiny_model):
    base = load(tiny_model)
    predictions = predict(base, base.model, ask_summary(), DIALOGUES[:1], [], "test")
    content = f"Go.\n\n{DIALOGUES[0].dialogue}"
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
    prefill = Prefiller.prefill

    def watched(self, indices, extra_columns):
        gc.collect()
        alive.append(sum(each() is not None for each in caches))
        batch = prefill(self, indices, extra_columns)
        caches.extend([weakref.ref(batch.logits), weakref.ref(batch.cache.layers[0].buffers[0])])
        return batch

    monkeypatch.setattr(Prefiller, "prefill", watched)
    monkeypatch.setattr(batch_budgets, "MAX_LOGITS", 258 * 200)
    if kind_name == "prices level by level":
        monkeypatch.setattr(tree_attention, "supports", lambda model: False)
    is_price = kind_name.startswith("prices")
    rows = PRODUCTS * 3 if is_price else DIALOGUES * 3
    ask = ask_price() if is_price else ask_summary(decode=kind_name)
    monkeypatch.setattr(batch_budgets, "MAX_ROWS", {"cpu": 2})
    narrow = Budgets(prompt_tokens=64, cache_bytes=2**28)
    predicting.predict(base, base.model, ask, rows, TRAIN, "test", narrow)
    assert len(alive) > 2
    assert set(alive) == {0}


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
