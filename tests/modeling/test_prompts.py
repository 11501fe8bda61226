import pytest
from transformers import ByT5Tokenizer

from finetune.core.errors import ModelError
from finetune.core.schema import Prompt
from finetune.modeling.prompts import DATE, OMITTED, PromptEncoder, Shot
from finetune.tasks.summarization.rows import Row
from finetune.training.examples import IGNORE_INDEX, encode

SHOTS = [Shot("Eva: Milk?", "Eva needs milk."), Shot("Joe: I am late.", "Joe is late.")]
ROW = Row(id="1", dialogue="Anna: Hi Tom!\nTom: See you at 6.", summary="They meet at 6.")


@pytest.fixture(params=["tiny_model", "digits_model"])
def encoder(request, load, prompt) -> PromptEncoder:
    base = load(request.getfixturevalue(request.param))
    return PromptEncoder(base.tokenizer, prompt, base.context)


def test_prompt_ids_are_the_same_for_training_and_inference(encoder):
    asked = encoder.encode(ROW.dialogue).ids
    (example,) = encode([ROW], encoder)
    assert example["input_ids"][: len(asked)] == asked
    assert example["labels"][: len(asked)] == [IGNORE_INDEX] * len(asked)


def test_the_loss_falls_on_the_whole_completion_and_its_end_token(encoder):
    (example,) = encode([ROW], encoder)
    learned = [label for label in example["labels"] if label != IGNORE_INDEX]
    assert encoder.tokenizer.decode(learned[:-1]) == ROW.summary
    assert learned[-1] == encoder.tokenizer.eos_token_id


def test_a_prompt_begins_with_one_bos(encoder):
    ids = encoder.encode(ROW.dialogue).ids
    assert ids[0] == encoder.tokenizer.bos_token_id
    assert ids.count(encoder.tokenizer.bos_token_id) == 1


def test_the_chat_template_is_used_where_there_is_one(load, tiny_model, digits_model, prompt):
    with_template = load(tiny_model)
    text = PromptEncoder(with_template.tokenizer, prompt, 256).text("Hi")
    assert text == "<|begin|><|user|>Summarize.\n\nHi<|assistant|>Summary:\n"
    without = load(digits_model)
    assert PromptEncoder(without.tokenizer, prompt, 256).text("Hi") == (
        "Summarize.\n\nHi\n\nSummary:\n"
    )


def test_a_template_that_writes_the_date_gets_a_fixed_one(load, tiny_model, prompt):
    tokenizer = load(tiny_model).tokenizer
    tokenizer.chat_template = "{{ date_string }}{{ messages[0]['content'] }}"
    assert PromptEncoder(tokenizer, prompt, 256).text("Hi").startswith(DATE)


@pytest.mark.parametrize(
    "asks",
    [
        '{%- set today = strftime_now("%d %B %Y") -%}\n{{ today }}',
        '{% macro system() %}{{ strftime_now("%Y-%m-%d") }}{% endmacro %}{{ system() }}',
        "{% if strftime_now is defined %}{{ strftime_now('%d') }}{% endif %}",
    ],
)
def test_a_template_that_asks_for_the_time_gets_the_same_date(load, tiny_model, prompt, asks):
    tokenizer = load(tiny_model).tokenizer
    tokenizer.chat_template = asks + "{{ messages[0]['content'] }}"
    encoder = PromptEncoder(tokenizer, prompt, 256)
    assert encoder.text("Hi") == f"{DATE}Summarize.\n\nHiSummary:\n"


def test_a_template_that_opens_a_chain_of_thought_is_told_not_to(load, tiny_model, prompt):
    tokenizer = load(tiny_model).tokenizer
    # As Qwen3's template has it: without thinking, an empty block of it opens the answer.
    tokenizer.chat_template = (
        "{{ messages[0]['content'] }}"
        "{% if enable_thinking is defined and enable_thinking is false %}<think></think>{% endif %}"
    )
    said = PromptEncoder(tokenizer, prompt, 256).text("A: Hi.")
    assert said == "Summarize.\n\nA: Hi.<think></think>Summary:\n"


def test_a_long_body_loses_its_end_but_neither_instruction_nor_cue(encoder):
    body = " ".join(f"word{i}" for i in range(200))
    encoded = encoder.encode(body)
    text = encoder.tokenizer.decode(encoded.ids)
    assert encoded.truncated
    assert len(encoded.ids) <= encoder.max_prompt_tokens
    assert len(encoded.ids) > encoder.max_prompt_tokens - 8  # no more is truncated than must be
    assert "Summarize." in text
    assert text.endswith("Summary:\n")
    assert "word0" in text
    assert "word199" not in text


@pytest.fixture
def middle(encoder) -> PromptEncoder:
    prompt = encoder.prompt.model_copy(update={"truncate": "middle"})
    return PromptEncoder(encoder.tokenizer, prompt, encoder.context)


def test_a_long_body_loses_its_middle_which_is_marked(middle):
    body = " ".join(f"word{i}" for i in range(200))
    encoded = middle.encode(body)
    text = middle.tokenizer.decode(encoded.ids)
    assert encoded.truncated
    assert middle.max_prompt_tokens - 8 < len(encoded.ids) <= middle.max_prompt_tokens
    assert "Summarize." in text
    assert text.endswith("Summary:\n")
    assert "word0" in text
    assert "word199" in text
    assert "word100" not in text
    assert text.count(OMITTED) == 1
    before, after = text.split(OMITTED)
    assert abs(before.count("word") - after.count("word")) <= 4


def test_a_text_of_characters_that_take_several_tokens_is_not_torn(middle):
    body = "🙂" * 400
    text = middle.tokenizer.decode(middle.encode(body).ids)
    assert OMITTED in text
    assert "\N{REPLACEMENT CHARACTER}" not in text


def test_where_two_ends_and_the_mark_have_no_room_the_beginning_is_kept(middle):
    fixed = len(middle.encode("").ids)
    narrow = middle.prompt.model_copy(update={"max_tokens": fixed + 3})
    encoder = PromptEncoder(middle.tokenizer, narrow, middle.context)
    encoded = encoder.encode("abcdefgh " * 20)
    assert encoded.truncated
    assert len(encoded.ids) <= fixed + 3
    assert OMITTED not in encoder.tokenizer.decode(encoded.ids)


@pytest.mark.parametrize("truncate", ["middle", "end"])
def test_a_text_that_fits_is_the_same_whatever_would_be_left_out(middle, truncate):
    prompt = middle.prompt.model_copy(update={"truncate": truncate})
    encoded = PromptEncoder(middle.tokenizer, prompt, middle.context).encode(ROW.dialogue)
    assert encoded == middle.encode(ROW.dialogue)
    assert not encoded.truncated


def test_a_row_is_trained_with_instruction_cue_and_answer(middle):
    row = ROW.model_copy(update={"dialogue": " ".join(f"word{i}" for i in range(200))})
    (example,) = encode([row], middle)
    text = middle.tokenizer.decode(example["input_ids"])
    assert example["input_ids"][: len(middle.encode(row.input).ids)] == middle.encode(row.input).ids
    for part in ("Summarize.", OMITTED, "Summary:\nThey"):
        assert part in text


def test_prompt_and_completion_fit_the_context_of_the_model(load, tiny_model):
    wide = Prompt(instruction="Go.", cue=":", max_tokens=10_000, max_completion_tokens=16)
    encoder = PromptEncoder(load(tiny_model).tokenizer, wide, 256)
    assert len(encoder.encode("word " * 1000).ids) <= 256 - 16


def test_a_long_completion_is_truncated_and_counted(encoder):
    row = ROW.model_copy(update={"summary": "word " * 100})
    examples = encode([row, ROW], encoder)
    labels = [label for label in examples[0]["labels"] if label != IGNORE_INDEX]
    assert examples.truncated.completions == 1 + (
        len(encoder.encode_completion(ROW.summary).ids) > 16
    )
    assert len(labels) == 16
    assert encoder.tokenizer.eos_token_id not in labels


def test_an_instruction_that_does_not_fit_is_a_mistake_of_the_parameters(load, tiny_model):
    narrow = Prompt(instruction="word " * 50, cue=":", max_tokens=16, max_completion_tokens=4)
    encoder = PromptEncoder(load(tiny_model).tokenizer, narrow, 256)
    with pytest.raises(ModelError, match="instruction alone"):
        encoder.encode("Hi")


def test_examples_are_earlier_turns_of_the_chat(load, tiny_model, prompt):
    text = PromptEncoder(load(tiny_model).tokenizer, prompt, 256).text("Hi", SHOTS)
    assert text == (
        "<|begin|>"
        "<|user|>Summarize.\n\nEva: Milk?<|assistant|>Summary:\nEva needs milk.<|end|>"
        "<|user|>Summarize.\n\nJoe: I am late.<|assistant|>Summary:\nJoe is late.<|end|>"
        "<|user|>Summarize.\n\nHi<|assistant|>Summary:\n"
    )


def test_without_a_chat_template_examples_are_blocks_of_text(load, digits_model, prompt):
    text = PromptEncoder(load(digits_model).tokenizer, prompt, 256).text("Hi", SHOTS)
    assert text == (
        "Summarize.\n\nEva: Milk?\n\nSummary:\nEva needs milk.</s>\n\n"
        "Summarize.\n\nJoe: I am late.\n\nSummary:\nJoe is late.</s>\n\n"
        "Summarize.\n\nHi\n\nSummary:\n"
    )


def test_an_example_reads_as_a_row_is_trained(encoder):
    (example,) = encode([ROW], encoder)
    shown = encoder.encode("Hi", [Shot(ROW.dialogue, ROW.summary)])
    trained = example["input_ids"]
    assert shown.shots == 1
    if len(encoder.encode_completion(ROW.summary).ids) < 16:  # not truncated
        assert shown.ids[: len(trained)] == trained


def test_the_question_is_what_it_is_without_examples(encoder):
    asked = encoder.encode(ROW.dialogue)
    shown = encoder.encode(ROW.dialogue, SHOTS[:1])
    bos = 1  # stands at the beginning of all
    assert shown.ids[-len(asked.ids) + bos :] == asked.ids[bos:]
    assert (asked.shots, shown.shots) == (0, 1)


def test_without_examples_ids_are_those_of_before(encoder):
    assert encoder.encode(ROW.dialogue, []) == encoder.encode(ROW.dialogue)


def test_examples_that_do_not_fit_the_context_go_the_last_ones_first(load, tiny_model, prompt):
    encoder = PromptEncoder(load(tiny_model).tokenizer, prompt, 256)
    long = Shot("Eva: word " * 100, "Eva talks.")
    assert encoder.encode("Hi", [*SHOTS, long]).shots == 2
    assert encoder.encode("Hi", [*SHOTS, long]) == encoder.encode("Hi", SHOTS)
    assert encoder.encode("Hi", [long, *SHOTS]).shots == 0
    for shots in ([*SHOTS, long], SHOTS * 5):
        assert len(encoder.encode("Hi", shots).ids) <= 256 - 16


def test_examples_do_not_count_as_the_question(encoder):
    narrow = Prompt(instruction="Summarize.", cue=":", max_tokens=60, max_completion_tokens=16)
    encoder = PromptEncoder(encoder.tokenizer, narrow, 4000)
    body = " ".join(f"word{i}" for i in range(200))
    shown = encoder.encode(body, SHOTS)
    assert shown.truncated
    assert shown.shots == 2
    assert len(shown.ids) > 60


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("Hello!", "leaves the row's text out of the prompt"),
        ("{{ messages[0]['role'] }}:", "leaves the row's text out of the prompt"),
        ("{% for m in messages %}{{ m['content'][-20:] }}{% endfor %}", "leaves the instruction"),
        ("{{ messages[0]['content'] }", "the chat template of this tokenizer fails: "),
        ("{{ raise_exception('no user turns') }}", "fails: no user turns"),
        ("{{ messages[5]['content'] + 1 }}", "the chat template of this tokenizer fails: "),
    ],
)
def test_a_template_that_drops_what_is_asked_is_refused(load, tiny_model, prompt, template, said):
    tokenizer = load(tiny_model).tokenizer
    tokenizer.chat_template = template
    with pytest.raises(ModelError, match=said) as caught:
        PromptEncoder(tokenizer, prompt, 256)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_without_offsets_is_one_clear_line(prompt):
    with pytest.raises(ModelError, match=r"model\.name: its tokenizer .* tokenizer\.json"):
        PromptEncoder(ByT5Tokenizer(), prompt, 256)


def test_a_template_that_shows_one_turn_is_refused_where_there_are_examples(
    load, tiny_model, prompt
):
    tokenizer = load(tiny_model).tokenizer
    tokenizer.chat_template = "{{ messages[-1]['content'] }}"
    encoder = PromptEncoder(tokenizer, prompt, 256)
    encoder.encode("Hi")
    with pytest.raises(ModelError, match="leaves examples out of the prompt"):
        encoder.encode("Hi", SHOTS)


def test_a_template_may_trim(load, tiny_model, prompt):
    tokenizer = load(tiny_model).tokenizer
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] | trim }}{% endfor %}"
    PromptEncoder(tokenizer, prompt.model_copy(update={"instruction": " Sum up.\n"}), 256)
