"""The page at `/`, where a person tries the models: no build step, nothing from elsewhere."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from finetune.serving.models import Served

FOLDER = Path(__file__).parent


def html(models: Sequence[Served]) -> tuple[str, str]:
    """The page and its Content-Security-Policy: its own script and style, requests to the server.

    What a form needs of each model stands in the page; nothing of the data does.
    """
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    style = (FOLDER / "page.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined
    )
    # In a <script> of JSON only "<" could end it.
    data = json.dumps([_form(each) for each in models]).replace("<", "\\u003c")
    text = environment.get_template("page.html.j2").render(data=data, script=script, style=style)
    policy = (
        f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return text, policy


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _form(served: Served) -> dict[str, Any]:
    endpoint = served.endpoint
    return {
        "model": served.name,
        "title": endpoint.title if endpoint else served.options.prompt.instruction,
        "path": endpoint.path if endpoint else None,
        "input": endpoint.input if endpoint else None,
        "example": endpoint.example if endpoint else "",
        "shown": [asdict(each) for each in endpoint.shown] if endpoint else [],
    }
