import torch

from finetune.inference.generate import generate

TEXTS = ["Anna: Hi!", "Tom: The train leaves at 6, so be at the station in time.", "Eva: Ok"]


def test_batches_give_what_single_prompts_give(load, tiny_model):
    base = load(tiny_model)
    prompts = [base.tokenizer(text)["input_ids"] for text in TEXTS]
    together = generate(base.model, base.tokenizer, prompts, 3, 8, "test")
    alone = [generate(base.model, base.tokenizer, [p], 1, 8, "test")[0] for p in prompts]
    assert [answer.text for answer in together] == [answer.text for answer in alone]


def test_it_is_the_users_own_greedy_generate(load, tiny_model):
    base = load(tiny_model)
    ids = base.tokenizer(TEXTS[1])["input_ids"]
    (answer,) = generate(base.model, base.tokenizer, [ids], 1, 8, "test")
    with torch.inference_mode():
        out = base.model.generate(torch.tensor([ids]), max_new_tokens=8, do_sample=False)
    own = base.tokenizer.decode(out[0, len(ids) :], skip_special_tokens=True).strip()
    assert answer.text == own


def test_an_answer_ends_at_the_end_token_or_says_that_it_was_cut(load, tiny_model):
    base = load(tiny_model)
    ids = base.tokenizer(TEXTS[0])["input_ids"]
    (cut,) = generate(base.model, base.tokenizer, [ids], 1, 4, "test")
    assert cut.hit_length_cap
    with torch.inference_mode():
        first = base.model(input_ids=torch.tensor([ids])).logits[0, -1].argmax().item()
    base.model.generation_config.eos_token_id = [first]  # then the first token is the end
    (ended,) = generate(base.model, base.tokenizer, [ids], 1, 4, "test")
    assert ended.text == ""
    assert not ended.hit_length_cap
