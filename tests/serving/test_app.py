"""The routes, asked over HTTP: shapes, and answers that are those of `predict`."""

import concurrent.futures
import json
import re
import time
from dataclasses import replace

import pytest

from finetune.inference import budgets
from finetune.inference.predict import EvalSpec, predict
from finetune.methods import registry as methods
from finetune.serving.limits import Limits
from finetune.tasks import registry

CHAT, TEXTS = "/v1/chat/completions", "/v1/completions"
DIALOGUES = ["Anna: Hello\nTom: Hi", "Tom: It rains.\nAnna: Here too.", "Ben: No", "Eve: Is it 5?"]
PRODUCTS = ["A chair of oak", "A steel bolt", "Cordless drill with two batteries", "Lamp"]


def chat(text: str = DIALOGUES[0], **more: object) -> dict:
    return {"model": "samsum", "messages": [{"role": "user", "content": text}], **more}


def content(answer) -> str:
    return answer.json()["choices"][0]["message"]["content"]


@pytest.fixture(scope="module")
def predicted(settings, sources) -> dict[str, list]:
    """What `predict` answers to the texts: by each adapter, alone on a base of its own."""
    found = {}
    texts = {"samsum": DIALOGUES, "price": PRODUCTS}
    for source in sources:
        options = settings.tasks[source.task]
        tuned = methods.load(settings.model, settings.method, source.folder)
        spec = EvalSpec(options.prompt, options.eval, registry.predict(options.kind).answers)
        endpoint = registry.endpoint(options.kind)
        rows = [endpoint.row(text, options.prompt) for text in texts[source.task]]
        limits = budgets.resolve(settings.run, tuned.model)
        answers = predict(tuned, tuned.model, spec, rows, rows, "test", limits)
        found[source.task] = answers
    return found


def test_typed_answers_and_chats_are_those_of_predict_however_they_are_mixed(server, predicted):
    asked = [("/summarize", {"text": text}) for text in DIALOGUES]
    asked += [("/price", {"text": text}) for text in PRODUCTS]
    asked += [(CHAT, chat(text)) for text in DIALOGUES]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda each: server.post(*each).json(), asked))
    summaries = [row["prediction"] for row in predicted["samsum"]]
    assert len(set(summaries)) > 1
    assert [answer["summary"] for answer in answers[:4]] == summaries
    assert [answer["choices"][0]["message"]["content"] for answer in answers[8:]] == summaries
    for answer, row in zip(answers[4:8], predicted["price"], strict=True):
        assert answer["probability_no_price"] == pytest.approx(row["outside"] / 100, abs=1e-6)
        if row["unparsable"]:  # of a random model: no answer, where `predict` has a constant
            assert answer["estimate"] is answer["range_90"] is None
        else:
            assert answer["estimate"] == row["prediction"]


def test_requests_that_arrive_together_are_answered_together(start):
    sizes = []

    def compute(group, jobs):
        sizes.append(len(jobs))
        time.sleep(0.2)
        for job in jobs:
            job.answer({"summary": "", "hit_length_cap": False, "prompt_truncated": False})

    server = start(compute=compute, limits=Limits(batch=8, stop=5))
    with concurrent.futures.ThreadPoolExecutor(17) as pool:
        codes = list(pool.map(
            lambda _: server.post("/summarize", {"text": "a"}).status_code, range(17)
        ))  # fmt: skip
    assert codes == [200] * 17
    assert sum(sizes) == 17
    assert max(sizes) == 8
    assert len(sizes) <= 5
    assert server.metric("finetune_batch_requests_count") == len(sizes)


def test_above_capacity_there_is_a_429_with_retry_after_and_nobody_hangs(start):
    def compute(group, jobs):
        time.sleep(0.3)
        for job in jobs:
            job.answer({"summary": "", "hit_length_cap": False, "prompt_truncated": False})

    server = start(compute=compute, limits=Limits(batch=2, queue=4, stop=5))
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: server.post("/summarize", {"text": "a"}), range(20)))
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {200, 429}
    assert codes.count(200) >= 4
    for answer in answers:
        if answer.status_code == 429:
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["error"]["code"] == "overloaded"
    assert time.monotonic() - started < 5
    assert server.post("/summarize", {"text": "a"}).status_code == 200


def test_who_waits_too_long_for_a_turn_or_an_answer_is_told(start):
    def compute(group, jobs):
        time.sleep(0.6)
        for job in jobs:
            job.answer({"summary": "", "hit_length_cap": False, "prompt_truncated": False})

    late = start(compute=compute, limits=Limits(batch=1, wait=0.2, stop=5))
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: late.post("/summarize", {"text": "a"}), range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 503, 503]
    assert all("retry-after" in each.headers for each in answers if each.status_code == 503)
    slow = start(compute=compute, limits=Limits(answer=0.2, stop=5))
    answer = slow.post("/summarize", {"text": "a"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timeout")


def test_an_inference_that_fails_is_a_500_and_the_next_one_is_answered(start, caplog):
    def compute(group, jobs):
        if any(job.work.dialogue == "bad" for job in jobs):
            raise RuntimeError("secret of the inference")
        for job in jobs:
            job.answer({"summary": "", "hit_length_cap": False, "prompt_truncated": False})

    server = start(compute=compute, limits=Limits(window=0.1, stop=5))
    texts = ["good", "bad", "good"]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda text: server.post("/summarize", {"text": text}), texts))
    # Those that shared its batch are answered.
    assert [answer.status_code for answer in answers] == [200, 500, 200]
    assert "secret" not in answers[1].text
    assert server.client.get("/readyz").status_code == 200


def test_a_chat_has_the_shape_of_the_openai_api(server):
    answer = server.post(CHAT, chat(max_tokens=5)).json()
    assert re.fullmatch(r"chatcmpl-\w+", answer["id"])
    assert (answer["object"], answer["model"]) == ("chat.completion", "samsum")
    assert abs(answer["created"] - time.time()) < 60
    (choice,) = answer["choices"]
    assert choice["message"]["role"] == "assistant"
    assert choice["finish_reason"] in ("stop", "length")
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert 1 <= usage["completion_tokens"] <= 5


def events(server, path: str, body: dict) -> list:
    """The events of a stream, the last of which must say that it is done."""
    with server.client.stream("POST", path, json={**body, "stream": True}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def test_a_stream_is_the_same_text_in_pieces(server):
    whole = server.post(CHAT, chat(max_tokens=40))
    got = events(server, CHAT, chat(max_tokens=40, stream_options={"include_usage": True}))
    *pieces, last, usage = got
    assert {each["object"] for each in got} == {"chat.completion.chunk"}
    assert len({each["id"] for each in got}) == 1
    deltas = [each["choices"][0]["delta"] for each in pieces]
    assert deltas[0]["role"] == "assistant"
    assert len(deltas) > 3
    assert "".join(delta["content"] for delta in deltas) == content(whole)
    assert last["choices"][0]["finish_reason"] == whole.json()["choices"][0]["finish_reason"]
    assert (usage["choices"], usage["usage"]) == ([], whole.json()["usage"])


def test_a_stream_that_cannot_begin_has_a_status_of_its_own(start):
    server = start(limits=Limits(queue=1, stop=5), compute=lambda group, jobs: time.sleep(0.3))
    answer = server.post(CHAT, chat(stream=True))
    assert answer.status_code == 500  # nothing was answered
    assert server.post(CHAT, chat(stream=True, model="none")).status_code == 404


# What OpenAI's API declares nullable, as its client of version 3.54 has it.
NULLABLE = [
    "audio", "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens",
    "metadata", "modalities", "moderation", "n", "prediction", "presence_penalty",
    "prompt_cache_key", "prompt_cache_retention", "reasoning_effort", "safety_identifier", "seed",
    "service_tier", "stop", "store", "stream", "stream_options", "temperature", "top_logprobs",
    "top_p", "verbosity",
]  # fmt: skip


def test_a_field_that_is_null_is_taken_as_absent(server, loaded):
    nulls = dict.fromkeys(NULLABLE)
    assert content(server.post(CHAT, chat(**nulls))) == content(server.post(CHAT, chat()))
    body = {"model": "samsum", "prompt": "Anna", "suffix": None, "echo": None, "best_of": None}
    assert server.post(TEXTS, {**body, **nulls}).status_code == 200
    # An earlier answer, as a client gives it back.
    earlier = {"role": "assistant", "content": "b"}
    question = {"role": "user", "content": "a"}
    given = earlier | dict.fromkeys(["refusal", "annotations", "audio", "tool_calls"])
    plain, whole = (
        server.post(CHAT, chat(messages=[question, each, question], max_tokens=4)).json()["usage"]
        for each in (earlier, given)
    )
    assert plain == whole
    missing = server.post(CHAT, chat(model=None))
    assert (missing.status_code, missing.json()["error"]["param"]) == (400, "model")


def test_the_instruction_may_stand_in_the_message_or_not(server, loaded):
    instruction = loaded["samsum"].options.prompt.instruction
    plain, whole = (
        server.post(CHAT, chat(text, max_tokens=8)).json()
        for text in (DIALOGUES[0], f"{instruction}\n\n{DIALOGUES[0]}")
    )
    assert plain["choices"] == whole["choices"]
    assert plain["usage"] == whole["usage"]


def test_earlier_turns_are_examples_in_the_prompt(server):
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    body = chat("c", max_tokens=4)
    alone = server.post(CHAT, body).json()
    body["messages"] = turns + body["messages"]
    assert (
        server.post(CHAT, body).json()["usage"]["prompt_tokens"] > alone["usage"]["prompt_tokens"]
    )


def test_sampling_is_the_same_with_the_same_seed(server):
    def sampled(seed: int) -> str:
        return content(server.post(CHAT, chat(temperature=1.5, seed=seed, max_tokens=20)))

    assert sampled(1) == sampled(1)
    assert len({sampled(seed) for seed in range(4)}) > 1


def test_an_answer_ends_before_a_stop(server):
    whole = content(server.post(CHAT, chat(max_tokens=40)))
    stop = whole[len(whole) // 2 :][:2]
    answer = server.post(CHAT, chat(max_tokens=40, stop=[stop, "never written"]))
    assert content(answer) == whole.partition(stop)[0].rstrip()
    assert answer.json()["choices"][0]["finish_reason"] == "stop"
    pieces = events(server, CHAT, chat(max_tokens=40, stop=stop))
    streamed = "".join(each["choices"][0]["delta"].get("content", "") for each in pieces)
    assert streamed == content(answer)


def test_completions_continue_texts_and_ids_as_they_are(server, loaded):
    tokenizer = loaded["samsum"].encoder.tokenizer
    encoded = loaded["samsum"].encoder.encode(DIALOGUES[0])
    text = tokenizer.decode(encoded.ids)
    body = {"model": "samsum", "max_tokens": 6}
    of_text, of_ids, of_two, of_chat = (
        server.post(path, each).json()
        for path, each in (
            (TEXTS, {**body, "prompt": text}),
            (TEXTS, {**body, "prompt": encoded.ids}),
            (TEXTS, {**body, "prompt": [encoded.ids, [5, 6]]}),
            (CHAT, chat(max_tokens=6)),
        )
    )
    assert of_ids["object"] == "text_completion"
    assert of_ids["choices"][0]["text"] == of_chat["choices"][0]["message"]["content"]
    assert of_ids["usage"] == of_chat["usage"]
    assert [choice["index"] for choice in of_two["choices"]] == [0, 1]
    assert of_two["choices"][0]["text"] == of_ids["choices"][0]["text"]
    if tokenizer(text, add_special_tokens=False)["input_ids"] == encoded.ids:
        assert of_text["choices"] == of_ids["choices"]
    pieces = events(server, TEXTS, {**body, "prompt": encoded.ids})
    assert "".join(each["choices"][0]["text"] for each in pieces) == of_ids["choices"][0]["text"]


def test_models_are_listed(server):
    listed = server.client.get("/v1/models").json()
    assert [(each["id"], each["endpoint"]) for each in listed["data"]] == [
        ("samsum", "/summarize"), ("price", "/price"),
    ]  # fmt: skip
    assert server.client.get("/v1/models/price").json() == listed["data"][1]


def test_the_types_of_all_requests_are_told(server):
    described = server.client.get("/openapi.json").json()
    assert {"/price", "/summarize", CHAT, TEXTS} <= described["paths"].keys()
    assert {"range_50", "probability_no_price"} <= (
        described["components"]["schemas"]["PriceAnswer"]["properties"].keys()
    )


def test_a_price_has_ranges_that_lie_in_each_other(server):
    answer = server.post("/price", {"text": PRODUCTS[2]}).json()
    assert answer["currency"] == "USD"
    assert 0 <= answer["probability_no_price"] <= 1
    if answer["median"] is not None:
        (low, high), (lower, higher) = answer["range_50"], answer["range_90"]
        assert lower <= low <= answer["median"] <= high <= higher


def test_a_model_that_answers_with_a_number_is_asked_at_its_endpoint(loaded, start):
    with_head = {**loaded, "price": replace(loaded["price"], writes_text=False)}
    server = start(models=with_head)
    refused = server.post(CHAT, chat(model="price"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "no_text")
    assert "/price" in refused.json()["error"]["message"]
    assert server.post("/price", {"text": "A chair"}).status_code == 200


def test_health_readiness_and_metrics(start):
    server = start()
    assert server.client.get("/healthz").json() == {"status": "ok"}
    assert server.client.get("/readyz").json() == {"ready": True}
    server.post(CHAT, chat(max_tokens=3))
    text = server.client.get("/metrics").text
    assert f'finetune_requests_total{{path="{CHAT}",status="200"}} 1.0' in text
    assert 'finetune_tokens_total{model="samsum",what="prompt"}' in text
    assert "# TYPE finetune_request_seconds histogram" in text
    server.batcher.stop(5)
    assert server.client.get("/readyz").status_code == 503
    stopped = server.post("/summarize", {"text": "a"})
    assert (stopped.status_code, stopped.json()["error"]["code"]) == (503, "stopping")


def test_each_adapter_answers_as_itself_after_the_other(server):
    first = server.post("/price", {"text": PRODUCTS[0]}).json()
    server.post("/summarize", {"text": DIALOGUES[0]})
    assert server.post("/price", {"text": PRODUCTS[0]}).json() == first


def test_a_stream_that_stalls_ends_with_an_error(start):
    def compute(group, jobs):
        jobs[0].work.on_text("They")
        time.sleep(1.5)

    server = start(compute=compute, limits=Limits(answer=0.3, stop=5))
    started = time.monotonic()
    with server.client.stream("POST", CHAT, json=chat(stream=True)) as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert time.monotonic() - started < 1.2
    assert answer.status_code == 200
    assert json.loads(lines[-1].removeprefix("data: "))["error"]["code"] == "timeout"


def test_a_chat_that_names_no_maximum_gets_as_much_as_the_server_allows(start):
    server = start(limits=Limits(new_tokens=3, stop=5))
    answer = server.post(CHAT, chat())
    assert answer.status_code == 200
    assert answer.json()["usage"]["completion_tokens"] <= 3
    assert server.post(CHAT, chat(max_tokens=4)).status_code == 400
