import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from finetune.reporting.templates import render


@pytest.fixture
def template(tmp_path):
    """A template of its own folder that uses a macro of the page."""
    file = tmp_path / "own.html.j2"
    file.write_text('{% from "macros.html.j2" import marked %}{{ marked(spans) }}|{{ svg }}')
    return file


def test_text_is_escaped_and_markup_is_not(template):
    html = render(template, spans=[("<b>", True), (" & ", False)], svg=Markup("<svg>"))
    assert html == "<mark>&lt;b&gt;</mark> &amp; |<svg>"


def test_a_name_without_a_value_is_an_error(template):
    with pytest.raises(UndefinedError):
        render(template, spans=[])
