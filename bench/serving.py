"""Requests a second and latencies of `finetune serve`:  python bench/serving.py [--out FILE]

Starts a server of the trained default on the loopback, in a process of its own, and asks it:

- all test rows of both tasks, held against what `predict` wrote for them;
- one request after the other, and several at once, in turns;
- many requests at capacity: as many at once as may wait, none may be lost;
- more at once than may wait: each gets its answer, or status 429 with Retry-After.

Needs what `dvc repro` writes. The client runs on the same cores. A request that takes longer than
`--seconds` counts as hung.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from finetune.core import params, paths
from finetune.core.files import read_jsonl, write_json
from finetune.tasks import registry

ROOT = Path(__file__).parent.parent
PERCENTILES = (50, 90, 99)
HUNG = 0  # the status of a request without an answer


@dataclass(frozen=True)
class Asked:
    """A request: its path and JSON, what `predict` answered to its row, and where that stands."""

    path: str
    body: bytes
    prediction: Any
    field: str


@dataclass(frozen=True)
class Answer:
    """What came back, and after how many seconds."""

    status: int
    retry_after: str | None
    body: bytes
    seconds: float


class Client:
    """One connection, kept open: as little work as will do, for it runs beside the server."""

    def __init__(self, port: int, seconds: float) -> None:
        self._port, self._seconds = port, seconds
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, asked: Asked) -> Answer:
        """The answer; status `HUNG` if none comes in time, or the connection breaks."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._seconds):
                status, headers, body = await self._sent(asked)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            self.close()
            return Answer(HUNG, None, b"", time.perf_counter() - started)
        seconds = time.perf_counter() - started
        return Answer(status, headers.get("retry-after"), body, seconds)

    async def _sent(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(
            f"POST {asked.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(asked.body)}\r\n\r\n".encode()
            + asked.body
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        return int(first.split()[1]), headers, body

    def close(self) -> None:
        """Close the connection."""
        if self._streams:
            self._streams[1].close()
        self._streams = None


async def closed_loop(
    port: int, requests: Sequence[Asked], at_once: int, seconds: float
) -> tuple[list[Answer], float]:
    """The answers in the order of the requests, and the time of all; so many are under way."""
    answers: list[Answer | None] = [None] * len(requests)
    left = iter(range(len(requests)))

    async def work() -> None:
        client = Client(port, seconds)
        for place in left:
            answers[place] = await client.ask(requests[place])
        client.close()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return [each for each in answers if each], time.perf_counter() - started


@contextlib.contextmanager
def served(*options: str) -> Iterator[int]:
    """The port of a server in a process of its own; it is told to stop at the end."""
    command = [sys.executable, "-m", "finetune.cli", "serve", "--port", "0", "--no-keys", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if "http://" not in line:
            sys.exit(f"the server did not start: {line or 'see above'}")
        yield int(line.partition("http://")[2].partition("/")[0].rpartition(":")[2])
    finally:
        process.send_signal(signal.SIGTERM)
        if process.wait(60):
            print(f"the server ended with {process.returncode}", file=sys.stderr)


def requests_of(task: str, options: Any) -> list[Asked]:
    """A request for each test row of a task, with what `predict` answered."""
    endpoint = registry.endpoint(options.kind)
    if endpoint is None:
        sys.exit(f"{task}: its kind has no endpoint of its own")
    files = [
        ROOT / paths.prepared(task) / "test.jsonl", ROOT / paths.predictions(task, "tuned")
    ]  # fmt: skip
    if not all(file.is_file() for file in files):
        sys.exit(f"{task}: no test rows or predictions here; run `dvc repro`, or `dvc pull`")
    rows = [registry.rows(options.kind).Row(**row) for row in read_jsonl(files[0])]
    predictions = [row for row in read_jsonl(files[1]) if not row.get("draw")]
    assert [row.id for row in rows] == [row["id"] for row in predictions]
    return [
        Asked(
            endpoint.path,
            json.dumps({"model": task, endpoint.input: row.input, "truncate": True}).encode(),
            prediction["prediction"],
            endpoint.prediction,
        )
        for row, prediction in zip(rows, predictions, strict=True)
    ]


def is_same(asked: Asked, answer: Answer) -> bool:
    """Whether an answer is the prediction."""
    return answer.status == 200 and json.loads(answer.body)[asked.field] == asked.prediction


def row_of(what: str, at_once: int, answers: Sequence[Answer], seconds: float) -> dict[str, Any]:
    """A row of the table."""
    times = [each.seconds for each in answers if each.status == 200] or [float("nan")]
    statuses = Counter(each.status for each in answers)
    return {
        "what": what,
        "at once": at_once,
        "requests": len(answers),
        "200": statuses[200],
        "429": statuses[429],
        "lost": len(answers) - statuses[200] - statuses[429],
        "requests/s": round(statuses[200] / seconds, 2),
        **{f"p{p} s": round(float(np.percentile(times, p)), 3) for p in PERCENTILES},
        "longest s": round(max(each.seconds for each in answers), 3),
    }


async def measured(options: argparse.Namespace, port: int, small: int) -> dict[str, Any]:
    """All measurements: `port` is that of the default server, `small` of one with a short queue."""
    settings = params.read(ROOT / "params.yaml")
    by_task = {task: requests_of(task, each) for task, each in settings.tasks.items()}
    table, equal = [], {}
    for task, requests in by_task.items():
        answers, _ = await closed_loop(port, requests, 32, options.seconds)
        pairs = zip(requests, answers, strict=True)
        equal[task] = f"{sum(itertools.starmap(is_same, pairs))} of {len(requests)}"
    mixed = [each for pair in zip(*by_task.values(), strict=False) for each in pair]
    sets = {**by_task, "both": mixed}
    best: dict[tuple[str, int], dict[str, Any]] = {}
    for turn in range(options.turns):
        for what, requests in sets.items():
            for at_once in options.at_once if turn % 2 else reversed(options.at_once):
                chosen = requests[: options.one_by_one if at_once == 1 else options.rows]
                row = row_of(what, at_once, *await closed_loop(
                    port, chosen, at_once, options.seconds
                ))  # fmt: skip
                key = what, at_once
                if key not in best or row["requests/s"] > best[key]["requests/s"]:
                    best[key] = row
    table += [best[key] for key in sorted(best, key=lambda key: (key[0], key[1]))]
    many = list(itertools.islice(itertools.cycle(mixed), options.many))
    capacity = row_of("at capacity", options.capacity, *await closed_loop(
        port, many, options.capacity, options.seconds
    ))  # fmt: skip
    above, took = await closed_loop(small, many[: options.above], options.above, options.seconds)
    refused = [each for each in above if each.status == 429]
    after, _ = await closed_loop(small, mixed[:8], 2, options.seconds)
    return {
        "equal to predict": equal,
        "table": [*table, capacity, row_of("above capacity", options.above, above, took)],
        "429 with Retry-After": f"{sum(bool(each.retry_after) for each in refused)} of "
        f"{len(refused)}",
        "answered afterwards": f"{sum(each.status == 200 for each in after)} of {len(after)}",
    }


def main() -> None:
    """Print the table, and what was found beside it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100, help="of each measured set")
    parser.add_argument("--one-by-one", type=int, default=40, help="rows asked one by one")
    parser.add_argument("--at-once", type=int, nargs="*", default=[1, 8, 32])
    parser.add_argument("--turns", type=int, default=3, help="the fastest counts")
    parser.add_argument("--many", type=int, default=2000, help="requests at capacity")
    parser.add_argument("--capacity", type=int, default=128, help="of these under way at a time")
    parser.add_argument("--above", type=int, default=400, help="requests at once above capacity")
    parser.add_argument("--queue", type=int, default=64, help="that may wait there")
    parser.add_argument("--seconds", type=float, default=120, help="then a request counts as hung")
    parser.add_argument("--out", type=Path, help="write the figures here too, as JSON")
    options = parser.parse_args()
    started = time.monotonic()
    with served() as port, served("--max-queue", str(options.queue)) as small:
        found = asyncio.run(measured(options, port, small))
    print(tabulate(found["table"], headers="keys"))
    for name, value in found.items():
        if name != "table":
            print(f"{name}: {value}")
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    seconds = time.monotonic() - started
    print(f"{os.cpu_count()} cores, OMP_NUM_THREADS {threads}; {seconds:.0f} s in all")
    if options.out:
        write_json(options.out, {**found, "cores": os.cpu_count(), "seconds": round(seconds)})


if __name__ == "__main__":
    main()
