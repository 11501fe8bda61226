import pytest
from fake_provider import failing, limited
from hosted_run import parameters

from finetune.core.errors import ParamsError
from finetune.hosted import answers, prices
from finetune.hosted.answers import Answer, Asker, Store
from finetune.hosted.client import ApiError
from finetune.hosted.prices import Rates, Usage
from finetune.inference.written import Decoding, Written

CHAT = "POST chat/completions"
PROMPTS = [[{"role": "user", "content": f"row {n} of these"}] for n in range(8)]


@pytest.fixture
def asker(provider, client, tmp_path):
    def made(request: dict | None = None, **run: object) -> Asker:
        model, options, _ = parameters(provider.url, **run)
        api = model.api.model_copy(update={"request": request or {}})
        model = model.model_copy(update={"api": api})
        return Asker(client, model, "small-1", Rates(1.0, 2.0), options, Store(tmp_path))

    return made


def test_each_prompt_has_its_answer_and_requests_overlap(provider, asker):
    provider.chat_seconds = 0.02
    written = asker().ask(PROMPTS, Decoding(seed=5), 16, "base")
    texts = [f"Plain: ['{n}', 'of', 'these']" for n in range(8)]
    assert [answer.text for (answer,) in written] == texts
    assert 1 < provider.most_at_once <= 3
    body = next(chat for chat in provider.chats if "row 3" in chat["messages"][0]["content"])
    assert body == {
        "model": "small-1", "messages": PROMPTS[3], "temperature": 0.0, "seed": 5,
        "max_completion_tokens": 16,
    }  # fmt: skip


def test_samples_differ_by_their_seed(provider, asker):
    provider.answer = lambda body: {"content": str(body["seed"])}
    written = asker().ask(PROMPTS[:2], Decoding(0.7, samples=3, seed=5), 16, "base")
    assert [[answer.text for answer in each] for each in written] == [["15", "16", "17"]] * 2


@pytest.mark.parametrize("request_", [{}, {"seed": None}])
def test_samples_of_two_draws_are_asked_each(provider, asker, request_):
    one = asker(request_)
    for draw in range(3):
        one.ask(PROMPTS[:2], Decoding(0.7, samples=3, seed=5 + draw), 16, "base")
    assert len(provider.chats) == 2 * 3 * 3
    if not request_:
        assert len({chat["seed"] for chat in provider.chats}) == 3 * 3


def test_fields_are_added_to_a_request_and_taken_out(provider, asker):
    asker({"temperature": None, "reasoning_effort": "low"}).ask(PROMPTS[:1], Decoding(), 16, "base")
    (body,) = provider.chats
    assert "temperature" not in body
    assert body["reasoning_effort"] == "low"


def test_refusals_empty_answers_and_truncated_ones_are_told_apart(provider, asker):
    said = {
        "0": {"content": None, "refusal": "I cannot."},
        "1": {"content": "half", "finish_reason": "content_filter"},
        "2": {"content": " \n"},
        "3": {"content": None},
        "4": {"content": "It was a", "finish_reason": "length"},
        "5": {"content": [{"type": "text"}]},
    }
    provider.answer = lambda body: said[body["messages"][0]["content"].split()[1]]
    written = [answer for (answer,) in asker().ask(PROMPTS[:6], Decoding(), 16, "base")]
    assert [answer.refused for answer in written] == [True, True, False, False, False, False]
    assert [answer.text for answer in written] == ["", "", "", "", "It was a", ""]
    assert [answer.hit_length_cap for answer in written] == [False] * 4 + [True, False]


@pytest.mark.parametrize("code", ["content_filter", "context_length_exceeded"])
def test_a_prompt_that_the_provider_does_not_take_is_a_refusal(provider, asker, code):
    provider.trouble(CHAT, (400, {"error": {"message": "No.", "code": code}}, {}))
    written = asker().ask(PROMPTS, Decoding(), 16, "base")
    assert sum(answer.refused for (answer,) in written) == 1


def test_a_prompt_that_is_too_long_is_known_by_its_message_too(provider, asker):
    said = "This model's maximum context length is 8192 tokens, and you asked for 9000"
    error = {"message": said, "type": "BadRequestError", "param": None, "code": 400}
    provider.trouble(CHAT, (400, {"error": error}, {}), (400, {"object": "error", **error}, {}))
    written = asker().ask(PROMPTS, Decoding(), 16, "base")
    assert sum(answer.refused for (answer,) in written) == 2


def test_another_refused_request_ends_the_stage_and_keeps_what_is_there(provider, asker, tmp_path):
    provider.answer = lambda body: {"content": "yes"}
    one = asker()
    one.ask(PROMPTS[:3], Decoding(), 16, "base")
    provider.trouble(CHAT, (404, {"error": {"message": "no such model", "code": "m"}}, {}))
    with pytest.raises(ApiError, match="no such model"):
        one.ask(PROMPTS, Decoding(), 16, "base")
    assert len(Store(tmp_path)) >= 3


def test_limits_and_faults_lose_no_row(provider, asker):
    provider.trouble(CHAT, limited(), failing(), "drop", limited(), failing(500))
    written = asker().ask(PROMPTS, Decoding(), 16, "base")
    assert len({answer.text for (answer,) in written}) == 8


def test_what_was_answered_is_not_asked_again(provider, asker, tmp_path):
    first = asker().ask(PROMPTS[:5], Decoding(), 16, "base")
    again = asker()
    assert again.ask(PROMPTS, Decoding(), 16, "base")[:5] == first
    assert len(provider.chats) == 8
    assert again.store.resumed == 5
    assert again.store.usage == Usage(800, 80)
    # Another question of the same row is another one.
    again.ask(PROMPTS, Decoding(seed=1), 16, "base")
    assert len(provider.chats) == 16


def test_equal_prompts_are_asked_each(provider, asker):
    asker({"seed": None}).ask([PROMPTS[0]] * 3, Decoding(0.7, 2), 16, "base")
    assert len(provider.chats) == 6


def test_more_than_the_limit_is_refused_before_anything_is_sent(provider, asker):
    with pytest.raises(ParamsError, match=r"run.max_usd: is 0.0001, and base may cost"):
        asker(max_usd=0.0001).ask(PROMPTS, Decoding(), 16, "base")
    assert provider.chats == []
    spent = asker(max_usd=0.0009)
    spent.ask(PROMPTS[:6], Decoding(), 16, "base")
    with pytest.raises(ParamsError, match=r"beside 0\.00072 USD spent"):
        spent.ask(PROMPTS[:6], Decoding(seed=1), 16, "base")
    # What is answered costs no more.
    spent.ask(PROMPTS[:6], Decoding(), 16, "base")


def test_a_line_that_a_kill_cut_short_is_dropped(tmp_path):
    store = Store(tmp_path)
    for name in ("a", "b"):
        store.add(name, Answer(Written(name), Usage(1, 2)))
    file = tmp_path / answers.FILE
    file.write_bytes(file.read_bytes()[:-7])
    again = Store(tmp_path)
    assert (len(again), again.get("a")) == (1, Answer(Written("a"), Usage(1, 2)))
    again.add("c", Answer(Written("c"), Usage()))
    assert [Store(tmp_path).get(name) is None for name in "abc"] == [False, True, False]


def test_the_estimate_covers_what_is_asked(asker):
    body = {"messages": PROMPTS[0]}
    assert prices.estimated_tokens(body["messages"]) > len(PROMPTS[0][0]["content"].split())
