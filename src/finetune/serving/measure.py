"""`finetune serve --measure URL`: a running server is asked all test rows, and its answers scored.

What is served is held against what `predict` wrote, row by row. Our own server is asked at the
kind's endpoint; any other one that speaks the OpenAI API, such as vLLM, by chats: the kind then
reads its answers from texts, as those of a hosted model.
"""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from finetune.core import params
from finetune.core.errors import UserError, squeezed
from finetune.core.rows import TaskRow
from finetune.core.schema import Params, Task
from finetune.forms import entries, records
from finetune.forms.entries import Entry, Predicted
from finetune.inference.written import Decoding, TextRequest, Written
from finetune.scoring.metrics import Prediction
from finetune.serving.purpose import HEADER, MEASURE
from finetune.serving.typed import Endpoint
from finetune.tasks import registry

KEY = "FINETUNE_API_KEY"
AT_ONCE = 16
SECONDS = 180
# A server that is full is asked again, so many times.
TRIES = 8
# Names of the forms in the metrics.
TYPED, CHAT = "served", "served_by_chat"

Answer = TypeVar("Answer")


class Refused(UserError):
    """The server does not answer this request, and would not another time."""


@dataclass(frozen=True)
class Target:
    """A server, and a task's model there; without an endpoint it is asked by chats.

    takes_truncate: whether a chat may say that a prompt may be truncated, as `predict` does;
    purpose: what the server's log has of the requests.
    """

    url: str
    model: str
    options: Task
    endpoint: Endpoint | None
    takes_truncate: bool
    purpose: str = MEASURE

    def predictions(self, rows: Sequence[TaskRow], train: Sequence[TaskRow]) -> list[Prediction]:
        """The answers as `predict` would write them, but for what needs likelihoods.

        Raises:
            UserError: the server does not answer.
        """
        rows, train = ([row.for_prompt(self.options.prompt) for row in of] for of in (rows, train))
        if self.endpoint is None:
            return self._read(rows, train, lambda decoding: self._chats(rows, decoding))
        answers = _at_once(self._typed, rows)
        is_missing = [answer[self.endpoint.prediction] is None for answer in answers]
        # What the kind has of a row without an answer.
        missing = [row for row, is_none in zip(rows, is_missing, strict=True) if is_none]
        unanswered = iter(self._read(missing, train, _no_texts(missing)) if missing else ())
        return [
            next(unanswered) if is_none else self._answered(row, answer)
            for row, answer, is_none in zip(rows, answers, is_missing, strict=True)
        ]

    def _typed(self, row: TaskRow) -> dict[str, Any]:
        assert self.endpoint is not None
        body = {"model": self.model, self.endpoint.input: row.input, "truncate": True}
        return _json(f"{self.url}{self.endpoint.path}", body, self.purpose)

    def _answered(self, row: TaskRow, answer: dict[str, Any]) -> Prediction:
        assert self.endpoint is not None
        value = answer[self.endpoint.prediction]
        flags = registry.scores(self.options.kind, self.options.prompt).FLAGS
        raised = {flag.key: answer[flag.key] for flag in flags if flag.key in answer}
        return {"id": row.id, "prediction": value, "empty": value == "", **raised}

    def _read(
        self,
        rows: Sequence[TaskRow],
        train: Sequence[TaskRow],
        ask: Callable[[Decoding], list[list[Written]]],
    ) -> list[Prediction]:
        request = TextRequest(
            rows=rows, train=train, eval=self.options.eval, prompt=self.options.prompt, ask=ask
        )
        return registry.from_texts(self.options.kind)(request)

    def _chats(self, rows: Sequence[TaskRow], decoding: Decoding) -> list[list[Written]]:
        return _at_once(
            lambda row: [self._chat(row, decoding, k) for k in range(decoding.samples)], rows
        )

    def _chat(self, row: TaskRow, decoding: Decoding, sample: int) -> Written:
        prompt = self.options.prompt
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": f"{prompt.instruction}\n\n{row.input}"}],
            "temperature": decoding.temperature,
            "seed": decoding.seed + sample,
            "max_tokens": prompt.max_completion_tokens,
            **({"truncate": True} if self.takes_truncate else {}),
        }
        try:
            answer = _json(f"{self.url}/v1/chat/completions", body, self.purpose)
        except Refused:  # its prompt does not fit, say: counted
            return Written("", refused=True)
        (choice,) = answer["choices"]
        text = (choice["message"]["content"] or "").strip()
        return Written(text, choice["finish_reason"] == "length")


def run(root: Path, url: str, tasks: Sequence[str], by_chat: bool) -> int:
    """Ask, score, add what was measured to `metrics/TASK/forms.json`, and print the table."""
    settings = params.read(root / "params.yaml")
    for task in tasks or settings.tasks:
        predicted = entries.predicted(root, settings, task)
        target = _target(settings.tasks[task], task, url.rstrip("/"), by_chat, predicted)
        entry = measured(settings, task, target, predicted)
        forms = records.add(root, task, {CHAT if target.endpoint is None else TYPED: entry})
        options = settings.tasks[task]
        declared = registry.metrics(options.kind, options.primary, options.prompt)
        table = records.table(declared, forms, settings.bootstrap.confidence, "simple")
        print(f"\n{task}, on all {entry['n']} test rows\n\n{table}", flush=True)
    return 0


def measured(settings: Params, task: str, target: Target, predicted: Predicted) -> Entry:
    """The scores of a server's answers, and their paired differences to those of `predict`.

    Raises:
        UserError: the server does not answer.
    """
    started = time.monotonic()
    predictions = target.predictions(predicted.test, predicted.train)
    seconds = time.monotonic() - started
    if all(row.get("refused") for row in predictions):
        raise UserError(f"{target.url}: refuses all rows of {task}; see the server's log")
    return entries.entry(
        settings,
        task,
        predicted.predictions,
        entries.scored(settings, task, predicted.test, predictions),
        predicted.adapter_hash,
        {"requests_per_second": round(len(predictions) / seconds, 1), "requests_at_once": AT_ONCE},
        by="chat" if target.endpoint is None else target.endpoint.path,
    )


def _target(options: Task, task: str, url: str, by_chat: bool, predicted: Predicted) -> Target:
    """The model of a task's name on a server.

    Raises:
        UserError: there is none, or it is of another adapter than the predictions.
    """
    cards = {card["id"]: card for card in _json(f"{url}/v1/models")["data"]}
    if task not in cards:
        raise UserError(f"{url}: serves no model {task!r}, but {', '.join(cards)}")
    served = cards[task].get("adapter_hash")  # of our own server
    if served not in (None, predicted.adapter_hash):
        raise UserError(
            f"{url}: {task} is the adapter {served} there, and the predictions here are of "
            f"{predicted.adapter_hash}; serve that one, or `dvc repro`"
        )
    endpoint = None if by_chat else registry.endpoint(options.kind)
    return Target(url, task, options, endpoint, takes_truncate=served is not None)


def _no_texts(rows: Sequence[TaskRow]) -> Callable[[Decoding], list[list[Written]]]:
    return lambda decoding: [[Written("")] * decoding.samples for _ in rows]


def _at_once(ask: Callable[[TaskRow], Answer], rows: Sequence[TaskRow]) -> list[Answer]:
    """The answers in order; the first error ends all."""
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        return list(pool.map(ask, rows))
    finally:
        pool.shutdown(cancel_futures=True)


def _json(url: str, body: dict[str, Any] | None = None, why: str = MEASURE) -> dict[str, Any]:
    """The JSON that a server answers; while it is full it is asked again, when it says.

    Raises:
        Refused: it does not take the request.
        UserError: it does not answer.
    """
    headers = {"Content-Type": "application/json", HEADER: why}
    if key := os.environ.get(KEY):
        headers["Authorization"] = f"Bearer {key}"
    data = None if body is None else json.dumps(body).encode()
    for number in range(1, TRIES + 1):
        try:
            request = urllib.request.Request(url, data, headers)
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                parsed: dict[str, Any] = json.load(answer)
            return parsed
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503) or number == TRIES:
                said = squeezed(error.read(1000).decode(errors="replace"))
                hint = f"; the key comes from {KEY}" if error.code == 401 else ""
                kind = Refused if error.code == 400 else UserError
                raise kind(f"{url}: status {error.code}: {said}{hint}") from error
            time.sleep(min(30.0, _seconds(error.headers.get("Retry-After"))))
        except (OSError, ValueError) as error:
            raise UserError(f"{url}: {squeezed(error)}; is the server running?") from error
    raise AssertionError("unreachable")


def _seconds(retry_after: str | None) -> float:
    return float(retry_after) if retry_after and retry_after.isdigit() else 1.0
