"""The page in a Chromium of the machine: rated by keyboard, left in the middle, saved, compared."""

import json

import pytest
from playwright.sync_api import Page
from rated_workspace import BASE, TUNED

from finetune.rating import command, compare_command
from finetune.rating.compare_command import Options

PHONE = {"width": 390, "height": 844}
ROWS = 7


def choose(page: Page) -> None:
    """Prefers the tuned model's answer, by the keyboard alone."""
    left = page.locator("#left").inner_text().startswith("Tuned")
    page.keyboard.press("ArrowLeft" if left else "ArrowRight")


def begin(page: Page, name: str) -> None:
    page.keyboard.type(name)  # where one types the name the keys are letters
    page.keyboard.press("Enter")


def test_it_is_rated_by_keyboard_left_in_the_middle_saved_and_compared(
    browser, workspace, tmp_path, capsys
):
    command.run(workspace.folder, [BASE, TUNED], command.Options(rows=ROWS, references=True))
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    requests, errors = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.goto(workspace.page.as_uri())
    begin(page, "Ann Left")
    place = page.locator("#place")
    assert place.inner_text() == f"1 of {ROWS}"
    # What a dialogue holds is read, and is no markup.
    assert "? <b>" in page.locator("#input").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    choose(page)
    page.keyboard.press("s")
    assert place.inner_text() == f"3 of {ROWS}"
    page.keyboard.press("ArrowRight")
    # The last one was a mistake: it is a tie. And the fourth is asked with its reference.
    page.keyboard.press("b")
    assert page.locator("[aria-pressed=true]").inner_text().endswith("Right is better →")
    page.keyboard.press("t")
    assert page.locator("#reference").is_hidden()
    page.keyboard.press("r")
    assert page.locator("#reference").inner_text().startswith("Reference\n\nR ")
    choose(page)
    # The browser's own shortcuts rate nothing.
    page.keyboard.press("Control+ArrowLeft")
    assert place.inner_text() == f"5 of {ROWS}"
    page.close()

    # Another day.
    page = context.new_page()
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(workspace.page.as_uri())
    assert page.locator("#place").inner_text() == f"5 of {ROWS}"
    assert page.locator("#counted").inner_text() == "4 done, 1 skipped"
    for _ in range(ROWS - 4):
        choose(page)
    assert page.locator("#done").inner_text().startswith("All done")
    with page.expect_download() as download:
        page.keyboard.press("d")
    assert download.value.suggested_filename == "ratings-samsum-Ann-Left.jsonl"
    file = tmp_path / "saved.jsonl"
    download.value.save_as(file)

    # Someone else at the same desk begins anew.
    page.get_by_role("button", name="Someone else").click()
    begin(page, "Bob")
    assert page.locator("#place").inner_text() == f"1 of {ROWS}"
    assert errors == []
    local = {workspace.page.as_uri()}
    assert {url for url in requests if not url.startswith(("data:", "blob:"))} == local
    context.close()

    capsys.readouterr()
    compare_command.run(workspace.folder, [BASE, TUNED], [file], Options(style="json"))
    (found,) = json.loads(capsys.readouterr().out)["tasks"]
    assert found["ratings"] == {"first": 0, "tie": 1, "second": ROWS - 2}
    assert (found["skipped"], found["reference_seen"]) == (1, 1)
    assert found["win_rate"]["mean"] == pytest.approx(100 * (ROWS - 1.5) / (ROWS - 1), abs=1e-3)
    assert [rater["name"] for rater in found["raters"]] == ["Ann Left"]
