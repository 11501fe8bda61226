"""The page as a browser shows it, in a Chromium of the machine without a screen."""

import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SECTIONS = ("answer", "quality", "training", "inputs")
# Bytes of a picture that shows a page: an empty one of this size has a tenth.
SOMETHING = 100_000


@pytest.fixture
def file(html, tmp_path) -> Path:
    """The report of a finished run."""
    written = tmp_path / "index.html"
    written.write_text(html, encoding="utf-8")
    return written


@pytest.fixture
def show(visit, file) -> Callable[..., Page]:
    """Opens the page."""
    return lambda viewport=DESKTOP, **more: visit(file.as_uri(), viewport=viewport, **more)


def background(page: Page) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_it_opens_offline_without_an_error_or_a_request(show, file):
    page = show()
    assert page.errors == []
    assert [url for url in page.requests if not url.startswith("data:")] == [file.as_uri()]
    assert page.title() == "Did tuning help? samsum, price"
    # What stands in a row is read, not run.
    assert page.locator("script").count() == 0
    shown = page.locator(".input").first.inner_text()
    assert "<script>document.title = 'broken'</script>" in shown


def test_markup_that_came_through_all_the_same_loads_and_runs_nothing(show, file):
    html = file.read_text(encoding="utf-8")
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    markup = (
        "<script>document.title = 'broken'</script>"
        f"<img src='http://127.0.0.1:{port}/' onerror=\"document.title = 'broken'\">"
        "<a id='x' href=\"javascript:document.title = 'broken'\">x</a></main>"
    )
    file.write_text(html.replace("</main>", markup), encoding="utf-8")
    page = show()
    page.locator("#x").click()
    assert page.title() == "Did tuning help? samsum, price"
    assert len([said for said in page.errors if "Content Security Policy" in said]) >= 3
    server.setblocking(False)
    with server, pytest.raises(BlockingIOError):  # nobody has come
        server.accept()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_section_has_a_picture_and_a_name_for_it(show, viewport):
    page = show(viewport)
    for section in SECTIONS:
        pictures = page.locator(f"#{section} svg:visible")
        assert pictures.count() >= 2  # of two tasks
        for picture in pictures.all():
            box = picture.bounding_box()
            assert box["width"] > 250
            assert box["height"] > 80
            assert picture.get_attribute("role") == "img"
            assert len(picture.get_attribute("aria-label")) > 10


def test_nothing_is_wider_than_a_phone_and_its_figures_are_legible(show):
    page = show(PHONE)
    page.evaluate("document.querySelectorAll('details').forEach(found => found.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert page.locator("#answer .wide:visible").count() == 0
    heights = page.evaluate(
        "[...document.querySelectorAll('svg text')]"
        ".map(text => text.getBoundingClientRect().height).filter(height => height > 0)"
    )
    assert len(heights) > 50
    assert min(heights) >= 10


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(show, scheme):
    """WCAG AA: 4.5 to 1 for every text, on the card or whatever ground is behind it."""
    page = show(color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(found => found.open = true)")
    assert page.evaluate(FAINT) == []


def test_dark_mode_changes_ground_and_figures(show):
    label = "svg text"
    grounds, inks = [], []
    for scheme in ("light", "dark"):
        page = show(color_scheme=scheme)
        grounds.append(background(page))
        inks.append(page.evaluate(f"getComputedStyle(document.querySelector('{label}')).fill"))
    assert grounds[0] != grounds[1]
    assert inks[0] != inks[1]


def test_on_paper_it_is_light_wide_and_unfolded(show):
    paper = {"width": 690, "height": 1000}  # A4 without its margins
    page = show(paper, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") == paper["width"]
    assert background(page) == "rgb(255, 255, 255)"
    assert page.locator("#answer .wide:visible").count() == 2
    assert page.locator("#answer .narrow:visible").count() == 0
    assert page.locator("nav:visible").count() == 0
    assert page.locator("details table").first.bounding_box()["height"] > 50


def test_pictures_of_it_show_something(show, tmp_path):
    for name, viewport, scheme in (
        ("light", DESKTOP, "light"),
        ("dark", DESKTOP, "dark"),
        ("phone", PHONE, "light"),
    ):
        picture = tmp_path / f"{name}.png"
        show(viewport, color_scheme=scheme).screenshot(path=picture, full_page=True)
        assert picture.stat().st_size > SOMETHING
        with Image.open(picture) as image:
            pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
        # Paper is what most of it is; marks of both models are drawn on it in colours of their own.
        assert (np.median(pixels) > 128) == (scheme == "light")
        reddish = pixels[:, 0].astype(int) - pixels[:, 2]
        assert min((reddish > 100).sum(), (reddish < -100).sum()) > 500


# Each element with text of its own whose contrast with what is behind it is below 4.5.
FAINT = """
() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const rgba = parse(getComputedStyle(at).backgroundColor);
      if (rgba.length === 3 || rgba[3] > 0) return rgba.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const ink = parse(element.closest("svg") ? style.fill : style.color).slice(0, 3);
    const [a, b] = [light(ink), light(ground(element))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) found.push(`${contrast.toFixed(2)} ${element.textContent.trim()}`);
  }
  return found;
}
"""
