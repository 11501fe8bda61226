"""A workspace with a finished run of one task, and raters who rate its page."""

import hashlib
import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from finetune.core.text import input_hash

ROOT = Path(__file__).parents[1]
BASE, TUNED = "workspace:base", "workspace"


@dataclass
class Workspace:
    """A folder with the run of the task `samsum`; `tuned[row]` is what the tuned model says."""

    folder: Path
    tuned: dict[str, str] = field(default_factory=dict)

    def write(self, base: Sequence[str], tuned: Sequence[str], split: str = "test") -> None:
        """The answers of both models, and the dialogues that they are to."""
        dialogues = [f"Ann: Row {n}? <b>\nBob: Yes & no." for n in range(len(base))]
        self._lines(
            f"data/prepared/samsum/{split}.jsonl",
            [
                {"id": f"test-{n}", "dialogue": d, "summary": f"R {n}."}
                for n, d in enumerate(dialogues)
            ],
        )
        folder = "predictions/samsum/scored" + ("" if split == "test" else f"/{split}")
        outs = []
        for model, texts in (("base", base), ("tuned", tuned)):
            rows = [
                {
                    "id": f"test-{n}",
                    "prediction": text,
                    "reference": f"R {n}.",
                    "input_hash": input_hash(dialogue),
                    "rouge1": float(len(text)),
                    "empty": not text,
                }
                for n, (text, dialogue) in enumerate(zip(texts, dialogues, strict=True))
            ]
            outs.append(self._lines(f"{folder}/{model}.jsonl", rows))
        self.tuned = {f"test-{n}": text for n, text in enumerate(tuned)}
        lock = {"schema": "2.0", "stages": {"evaluate@samsum": {"cmd": "true", "outs": outs}}}
        (self.folder / "dvc.lock").write_text(yaml.safe_dump(lock))

    @property
    def page(self) -> Path:
        """Where `finetune rate` writes."""
        return self.folder / "ratings/samsum.html"

    def _lines(self, name: str, rows: Sequence[dict[str, Any]]) -> dict[str, str]:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return {"path": name, "md5": hashlib.md5(file.read_bytes()).hexdigest()}

    def ratings(self, page: Path, rater: str, choose: Callable[..., str], **more: str) -> Path:
        """A rater's file; `choose` takes a row and the side of the tuned model's answer."""
        content = page_content(page.read_text())
        lines = []
        for item in content["items"]:
            side = "left" if item["left"] == self.tuned[item["row"]] else "right"
            line = {key: content[key] for key in ("page", "task", "split")}
            line |= {"rater": rater, "row": item["row"], "input": item["input_hash"]}
            line |= {"left": item["left_hash"], "right": item["right_hash"]}
            line |= {"choice": choose(item["row"], side), "at": "2026-01-01T00:00:00.000Z"}
            lines.append(json.dumps(line | more))
        file = self.folder / "ratings" / f"{rater}.jsonl"
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(f"{line}\n" for line in lines))
        return file


def page_content(html: str) -> dict[str, Any]:
    """What a page knows."""
    return json.loads(re.search(r'id="data">(.*?)</script>', html)[1])


def preferring_tuned(rate: float, ties: float = 0.0, seed: int = 0) -> Callable[[str, str], str]:
    """A rater who prefers the tuned answer at a rate, and finds some rows a tie."""
    rng = random.Random(seed)
    other = {"left": "right", "right": "left"}

    def choose(_: str, side: str) -> str:
        if rng.random() < ties:
            return "tie"
        return side if rng.random() < rate else other[side]

    return choose


def one_task(params: str) -> str:
    """A params.yaml without the task `price`."""
    start = params.index("  price:\n    kind")
    return params[:start] + _after_tasks(params[start:])


def _after_tasks(text: str) -> str:
    lines = text.splitlines(keepends=True)
    end = next(n for n, line in enumerate(lines) if not line.startswith((" ", "-")))
    return "".join(lines[end:])
