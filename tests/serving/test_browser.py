"""The page at `/` in a Chromium of the machine."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from finetune.serving import keys as stored_keys

PHONE = {"width": 390, "height": 844}


@pytest.fixture
def open_page(visit) -> Callable[..., Page]:
    """Opens the page of a server."""
    return lambda server, **context: visit(f"http://127.0.0.1:{server.port}/", **context)


def ask(page: Page, task: str, text: str) -> list[str]:
    """What stands beside each label of the answer."""
    form = page.locator(f"#model-{task}")
    form.locator("textarea").fill(text)
    form.get_by_role("button").click()
    form.locator("dd").first.wait_for()
    return form.locator("dd").all_inner_texts()


def test_both_tasks_are_tried_and_answered_as_the_api_answers(open_page, server):
    page = open_page(server)
    text = "Anna: Hello\nTom: Hi"
    expected = server.post("/summarize", {"text": text}).json()["summary"]
    shown = ask(page, "samsum", text)
    assert [" ".join(each.split()) for each in shown] == [" ".join(expected.split())]
    prices = ask(page, "price", "A chair of oak")
    assert len(prices) == 4
    probability = server.post("/price", {"text": "A chair of oak"}).json()["probability_no_price"]
    assert prices[-1] == f"{100 * probability:.1f} %"
    assert page.errors == []
    origin = f"http://127.0.0.1:{server.port}/"
    assert all(url.startswith(origin) for url in page.requests)


def test_an_error_is_shown_as_text_and_the_form_can_be_used_again(open_page, server):
    page = open_page(server)
    form = page.locator("#model-samsum")
    form.locator("textarea").fill("word " * 2000)
    form.get_by_role("button").click()
    form.locator(".error").wait_for()
    assert form.locator(".error").inner_text().startswith("400: the prompt does not fit")
    assert ask(page, "samsum", "Anna: Hello") != []
    assert form.locator(".error").count() == 0


def test_what_a_model_writes_is_never_markup(open_page, start):
    markup = "<img src=x onerror=\"document.title='broken'\"><script>document.title='b'</script>"

    def compute(group, jobs):
        for job in jobs:
            answer = {"summary": markup, "hit_length_cap": False, "prompt_truncated": False}
            job.answer(answer)

    page = open_page(start(compute=compute))
    assert ask(page, "samsum", "Anna: Hello") == [markup]
    assert page.title() == "Try the models"
    assert page.locator("img").count() == 0


def test_with_keys_the_page_asks_with_the_one_that_is_typed(open_page, start, tmp_path):
    key = stored_keys.add(tmp_path / "keys.json", "one")
    page = open_page(start(keys=stored_keys.read(tmp_path / "keys.json")))
    form = page.locator("#model-price")
    form.get_by_role("button").click()
    form.locator(".error").wait_for()
    assert form.locator(".error").inner_text().startswith("401: no API key")
    page.locator("#key").fill(key)
    assert len(ask(page, "price", "A chair")) == 4


def test_on_a_phone_nothing_is_wider_than_the_screen(open_page, server):
    page = open_page(server, viewport=PHONE)
    ask(page, "price", "A chair of oak")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
