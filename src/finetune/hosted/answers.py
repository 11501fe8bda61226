"""Answers of a hosted model, several asked for at once, each on disk as soon as it is there."""

import concurrent.futures
import hashlib
import json
import logging
import os
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from finetune.core.progress import bar
from finetune.core.schema import Model, Run
from finetune.hosted import prices
from finetune.hosted.client import ApiError, Client, Json
from finetune.hosted.messages import Message
from finetune.hosted.prices import Rates, Usage, estimated_tokens
from finetune.inference.written import Decoding, Written

log = logging.getLogger(__name__)

FILE = "answers.jsonl"  # the name by which `finetune doctor` counts those of a killed run
# Errors that are of one prompt: its row has no answer, and is counted.
OF_PROMPT = frozenset(
    {"content_filter", "content_policy_violation", "context_length_exceeded",
     "string_above_max_length"}
)  # fmt: skip
# What vLLM, and providers that run it, say of a prompt that is too long: they have no code for it.
TOO_LONG = "maximum context length"


@dataclass(frozen=True)
class Answer:
    """What was written, and the tokens that the provider counted."""

    written: Written
    usage: Usage


class Store:
    """Answers by what was asked, in a file that a killed run continues.

    A line is a checksum and JSON; one that a kill cut short is dropped. resumed: how many answers
    an earlier process had.
    """

    def __init__(self, folder: Path) -> None:
        """Read what an earlier process wrote."""
        self._file = folder / FILE
        self._known, end = _read(self._file)
        self._lock, self.resumed = threading.Lock(), len(self._known)
        self.saved_at = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        if self._file.is_file() and self._file.stat().st_size > end:
            os.truncate(self._file, end)

    def get(self, key: str) -> Answer | None:
        """The answer of a key, if there is one."""
        return self._known.get(key)

    def add(self, key: str, answer: Answer) -> None:
        """Keep an answer, on disk when this returns; threads may call it at once."""
        text = json.dumps({"key": key, **asdict(answer)}).encode()
        with self._lock:
            with self._file.open("ab") as file:
                file.write(b"%08x %s\n" % (zlib.crc32(text), text))
                file.flush()
                os.fsync(file.fileno())
            self._known[key] = answer

    @property
    def usage(self) -> Usage:
        """The tokens of all answers, also of earlier processes."""
        with self._lock:
            return sum((answer.usage for answer in self._known.values()), Usage())

    def __len__(self) -> int:
        """How many answers there are."""
        return len(self._known)


def _read(file: Path) -> tuple[dict[str, Answer], int]:
    """The answers of a file by key, and where its whole lines end."""
    known: dict[str, Answer] = {}
    end = 0
    if not file.is_file():
        return known, end
    for line in file.read_bytes().splitlines(keepends=True):
        checksum, _, text = line.rstrip(b"\n").partition(b" ")
        if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text):
            break
        entry = json.loads(text)
        written, usage = Written(**entry["written"]), Usage(**entry["usage"])
        known[entry["key"]] = Answer(written, usage)
        end += len(line)
    return known, end


@dataclass(frozen=True)
class Asker:
    """Asks one model: `name` is the base's or the tuned one's, `rates` are its prices.

    `saved` is called every `run.save_minutes`, when answers are on disk.
    """

    client: Client
    model: Model
    name: str
    rates: Rates
    run: Run
    store: Store
    saved: Callable[[], None] = lambda: None

    def ask(
        self, prompts: Sequence[list[Message]], decoding: Decoding, max_tokens: int, what: str
    ) -> list[list[Written]]:
        """To each prompt as many answers as the decoding has samples.

        Raises:
            ParamsError: they may cost more than `run.max_usd`.
            UserError: the provider refuses, or cannot be reached; answers so far are kept.
        """
        bodies = [
            self._body(prompt, decoding, sample, max_tokens)
            for prompt in prompts
            for sample in range(decoding.samples)
        ]
        keys = _keys(bodies, decoding.seed)
        missing = {
            key: body for key, body in zip(keys, bodies, strict=True) if self.store.get(key) is None
        }
        self._check_cost(missing, max_tokens, what)
        self._fetch(missing, what)
        written = [_known(self.store, key).written for key in keys]
        count = decoding.samples
        return [written[i : i + count] for i in range(0, len(written), count)]

    def _body(
        self, messages: list[Message], decoding: Decoding, sample: int, max_tokens: int
    ) -> Json:
        assert self.model.api is not None
        body: Json = {
            "model": self.name,
            "messages": messages,
            "temperature": decoding.temperature,
            # Of two draws, whose seeds follow one another, no sample is the same.
            "seed": decoding.seed * decoding.samples + sample,
            self.model.api.max_tokens_field: max_tokens,
            **self.model.api.request,
        }
        return {name: value for name, value in body.items() if value is not None}

    def _check_cost(self, missing: dict[str, Json], max_tokens: int, what: str) -> None:
        if not missing:
            return
        assert self.model.api is not None
        field = self.model.api.max_tokens_field  # which model.api.request may set otherwise
        estimate = Usage(
            input=sum(estimated_tokens(body["messages"]) for body in missing.values()),
            output=sum(int(body.get(field) or max_tokens) for body in missing.values()),
        )
        cost = self.rates.cost(estimate)
        spent = self.rates.cost(self.store.usage) or 0.0
        prices.check(self.run, what, cost, self.rates.names, spent)

    def _fetch(self, missing: dict[str, Json], what: str) -> None:
        """Ask for what is missing; where this ends by an error, what was sent is waited for."""
        pool = concurrent.futures.ThreadPoolExecutor(self.run.hosted.concurrency)
        try:
            asked = [pool.submit(self._answer, key, body) for key, body in missing.items()]
            with bar(None, what, "row", len(asked)) as shown:
                for each in concurrent.futures.as_completed(asked):
                    each.result()
                    shown.update()
                    self._save_at_times()
        except BaseException as error:
            self.client.stop()
            if isinstance(error, KeyboardInterrupt):
                log.warning(f"{what}: waits for answers on their way; Ctrl-C again ends at once")
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _save_at_times(self) -> None:
        if time.monotonic() - self.store.saved_at >= 60 * self.run.save_minutes:
            self.saved()
            self.store.saved_at = time.monotonic()

    def _answer(self, key: str, body: Json) -> None:
        try:
            answer = _parsed(self.client.chat(body))
        except ApiError as error:
            if error.code not in OF_PROMPT and TOO_LONG not in str(error):
                raise
            answer = Answer(Written("", refused=True), Usage())
        self.store.add(key, answer)


def _known(store: Store, key: str) -> Answer:
    answer = store.get(key)
    assert answer is not None
    return answer


def _keys(bodies: Sequence[Json], seed: int) -> list[str]:
    """A name for each request: of its content, and of how many equal ones stand before it.

    Of the `seed` too, which a request may be without: another draw is asked anew.
    """
    before: Counter[str] = Counter()
    keys = []
    for body in bodies:
        content = json.dumps([seed, body], sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()[:32]
        keys.append(f"{digest}-{before[digest]}")
        before[digest] += 1
    return keys


def _parsed(response: Json) -> Answer:
    """The answer in a response's first choice; a choice without a text is an empty answer."""
    choice = response["choices"][0] or {}
    message = choice.get("message") or {}
    content, end = message.get("content"), choice.get("finish_reason")
    refused = bool(message.get("refusal")) or end == "content_filter"
    text = content.strip() if isinstance(content, str) and not refused else ""
    usage = response.get("usage") or {}
    return Answer(
        Written(text, hit_length_cap=end == "length", refused=refused),
        Usage(int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)),
    )
