"""`finetune serve --measure URL`: a running server is asked all test rows, and its answers scored.

What is served is held against what `predict` wrote, row by row: the paired difference of the
primary score with its interval, and how many answers differ. Our own server is asked at the kind's
endpoint; any other one that speaks the OpenAI API, such as vLLM, by chats, where answers are texts.
"""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.core import params, paths
from finetune.core.errors import UserError, squeezed
from finetune.core.files import read_jsonl, short_hash, write_json
from finetune.core.rows import TaskRow
from finetune.core.schema import Params, Task
from finetune.scoring import numbers
from finetune.serving.typed import Endpoint
from finetune.tasks import registry

KEY = "FINETUNE_API_KEY"
AT_ONCE = 16
SECONDS = 180
# A server that is full is asked again, so many times.
TRIES = 8


@dataclass(frozen=True)
class Target:
    """A server, and a task's model there; without an endpoint it is asked by chats."""

    url: str
    model: str
    options: Task
    endpoint: Endpoint | None

    def ask(self, row: TaskRow) -> Any:
        """The answer to a row, as `predict` would have it; None where there is none.

        Raises:
            UserError: the server does not answer.
        """
        if self.endpoint is not None:
            body = {"model": self.model, self.endpoint.input: row.input, "truncate": True}
            return _post(f"{self.url}{self.endpoint.path}", body)[self.endpoint.prediction]
        prompt = self.options.prompt
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": f"{prompt.instruction}\n\n{row.input}"}],
            "temperature": 0,
            "max_tokens": prompt.max_completion_tokens,
        }
        answer = _post(f"{self.url}/v1/chat/completions", body)
        return answer["choices"][0]["message"]["content"].strip()


def run(root: Path, url: str, tasks: Sequence[str], by_chat: bool) -> int:
    """Ask, score, write `metrics/TASK/served.json`, and print the differences."""
    settings = params.read(root / "params.yaml")
    url = url.rstrip("/")
    for task in tasks or settings.tasks:
        if task not in settings.tasks:
            raise UserError(f"no task {task!r}; known: {', '.join(settings.tasks)}")
        target = _target(settings, task, url, by_chat)
        entry = measured(root, settings, task, target)
        write_json(root / paths.metrics(task, "served"), {task: {"served": entry}})
        print(line(settings, task, entry), flush=True)
    return 0


def _target(settings: Params, task: str, url: str, by_chat: bool) -> Target:
    options = settings.tasks[task]
    endpoint = None if by_chat else registry.endpoint(options.kind)
    if endpoint is None and options.has_numbers:
        raise UserError(
            f"{task}: its answers are numbers from a distribution, which a chat does not give; "
            "measure it at its own endpoint, without --by-chat"
        )
    return Target(url, task, options, endpoint)


def measured(root: Path, settings: Params, task: str, target: Target) -> dict[str, Any]:
    """The scores of a server's answers to all test rows, and their paired difference to `predict`.

    Rows that only one of the two has an answer to are counted as `no_answer`, and not scored.

    Raises:
        UserError: there are no rows or predictions here, or the server does not answer.
    """
    options = settings.tasks[task]
    files = [root / paths.prepared(task) / "test.jsonl", root / paths.predictions(task, "tuned")]
    for file in files:
        if not file.is_file():
            raise UserError(f"{file}: not there; `dvc repro` makes it, `dvc pull` downloads it")
    rows = read_jsonl(files[0])
    stored = [row for row in read_jsonl(files[1]) if not row.get("draw")]
    if [row["id"] for row in rows] != [row["id"] for row in stored]:
        raise UserError(f"{files[1]}: is not of the rows of {files[0]}; run `dvc repro`")
    kind = registry.rows(options.kind)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(target.ask, [kind.Row(**row) for row in rows]))
    both = [place for place, answer in enumerate(answers) if answer is not None]
    if len(both) < 2:
        raise UserError(f"{task}: {len(both)} of {len(rows)} rows have an answer of the server")
    primary = registry.metrics(options.kind, options.primary, options.prompt)[0]
    scores = registry.scores(options.kind, options.prompt)
    chosen = [rows[place] for place in both]
    ours = [stored[place] for place in both]
    theirs = [{**stored[place], "prediction": answers[place]} for place in both]
    before, after = (scores.score(chosen, each, options.score) for each in (ours, theirs))
    score = primary.interval(after, settings.bootstrap)
    gain = primary.gain(before, after, settings.bootstrap)
    return {
        primary.key: round(primary.score(after), 4),
        "interval": {primary.key: score.rounded()} if score else {},
        "difference": {primary.key: gain.rounded(6)} if gain else {},
        "differing": sum(stored[place]["prediction"] != answers[place] for place in both),
        "no_answer": len(rows) - len(both),
        "n": len(both),
        "by": "chat" if target.endpoint is None else target.endpoint.path,
        "predictions_hash": short_hash(files[1]),
    }


def line(settings: Params, task: str, entry: dict[str, Any]) -> str:
    """What was found, in a line."""
    options = settings.tasks[task]
    primary = registry.metrics(options.kind, options.primary, options.prompt)[0]
    gain = entry["difference"].get(primary.key)
    decimals = primary.decimals + 1
    difference = "no interval: too few rows"
    if gain is not None:
        low, high = (numbers.signed(gain[end], decimals) for end in ("low", "high"))
        difference = f"{numbers.signed(gain['mean'], decimals)} [{low}, {high}]"
    return (
        f"{task}: {primary.heading} {primary.number(entry[primary.key])}, served - predicted "
        f"{difference}; {entry['differing']} of {entry['n']} answers differ, "
        f"{entry['no_answer']} rows without an answer"
    )


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    """The JSON that a server answers; while it is full it is asked again, when it says."""
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get(KEY):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    for number in range(1, TRIES + 1):
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                parsed: dict[str, Any] = json.load(answer)
            return parsed
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503) or number == TRIES:
                said = error.read(1000).decode(errors="replace")
                hint = f"; the key comes from {KEY}" if error.code == 401 else ""
                raise UserError(f"{url}: status {error.code}: {squeezed(said)}{hint}") from error
            time.sleep(min(30.0, _seconds(error.headers.get("Retry-After"))))
        except (OSError, ValueError) as error:
            raise UserError(f"{url}: {squeezed(error)}; is the server running?") from error
    raise AssertionError("unreachable")


def _seconds(retry_after: str | None) -> float:
    return float(retry_after) if retry_after and retry_after.isdigit() else 1.0
