"""A training job at a provider: created once, found again after a kill, watched until it ends.

A job carries the hash of its run in its metadata. Before one is created, those that the provider
has are searched for it: also after a request to create that was not answered, and on another
machine. So a job that succeeded is not paid again, whatever became of our files.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.core.errors import UserError, squeezed
from finetune.core.files import read_json, write_json
from finetune.core.interrupts import Interrupted
from finetune.hosted.client import ApiError, Client, Json, Unreachable

log = logging.getLogger(__name__)

# The key of a run's hash in a job's metadata.
METADATA = "finetune_run"
SUCCEEDED, ENDED_WITHOUT = "succeeded", ("failed", "cancelled")
# How often the provider's list is read for a job that may have been created a moment ago.
LOOKS = 3
PAGE = 100
STATE = "hosted.json"


@dataclass(frozen=True)
class Order:
    """What a provider is to train: `body` is that of the request but for the files' ids.

    run: the hash of all that the result depends on; `files` are contents by their role in the body.
    """

    run: str
    body: Json
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Done:
    """A job that succeeded, and its metrics events in their order."""

    job: Json
    events: Sequence[Json]


def suffix(task: str, run: str) -> str:
    """The end of the tuned model's name: found again where a provider keeps no metadata."""
    return f"{re.sub(r'[^a-zA-Z0-9-]', '-', task)[:20]}-{run[:12]}"


def trained(
    client: Client,
    order: Order,
    state: Path,
    poll: float,
    what: str,
    before_upload: Callable[[], None] = lambda: None,
) -> Done:
    """The job of an order, created if there is none, when it has succeeded.

    `state` is the folder of the run state; `poll` are the seconds between looks. `before_upload`
    is called before anything of a new job is sent, and may refuse it.

    Raises:
        UserError: it failed or was cancelled.
        Interrupted: Ctrl-C; the job runs on.
    """
    job = _existing(client, order, state, poll)
    log.info(f"{what}: {'no job of this run yet' if job is None else 'found its job again'}")
    if job is None:
        before_upload()
        job = _created(client, order, state, poll, what)
    log.info(f"{what}: job {job['id']} at {client.host}: {job['status']}")
    try:
        job = _ended(client, job, poll, what)
        events = _events(client, job["id"])
    except KeyboardInterrupt:
        raise Interrupted(
            f"job {job['id']} runs on at {client.host}; the same command waits for it again"
        ) from None
    if job["status"] != SUCCEEDED:
        raise UserError(f"{what}: job {job['id']} {_why(job)}; the same command starts a new one")
    metrics = [event for event in reversed(events) if event.get("type") == "metrics"]
    return Done(job, metrics)


def _existing(client: Client, order: Order, state: Path, poll: float) -> Json | None:
    """The run's job that has not failed, if the provider has one."""
    known = _state(state)
    # A list may lag behind: where a job was asked for and the answer is not known, look again.
    for look in range(LOOKS if known.get("sent") else 1):
        if look:
            client.wait(poll)
        for job in _pages(client, "fine_tuning/jobs"):
            is_of = _is_of(job, order, known.get("training_file"))
            if is_of and job.get("status") not in ENDED_WITHOUT:
                return job
    return None


def _is_of(job: Json, order: Order, training_file: str | None) -> bool:
    """Whether a job is the run's: by its metadata, or else by its name or the run's own upload."""
    if METADATA in (metadata := job.get("metadata") or {}):
        return bool(metadata[METADATA] == order.run)
    suffix = order.body["suffix"]
    is_named = job.get("suffix") == suffix or f":{suffix}:" in (job.get("fine_tuned_model") or "")
    return is_named or (training_file is not None and job.get("training_file") == training_file)


def _created(client: Client, order: Order, state: Path, poll: float, what: str) -> Json:
    """A new job.

    A request that is not answered may have created one, so it is looked for before the next.
    """
    files = {role: _uploaded(client, order, role, state, what) for role in order.files}
    body = {**order.body, **files, "metadata": {METADATA: order.run}}
    for attempt in range(client.max_retries + 1):
        write_json(state / STATE, {**_state(state), "sent": True})
        try:
            return client.post_once("fine_tuning/jobs", body)
        except Unreachable as error:
            if attempt == client.max_retries:
                raise Unreachable(
                    f"{client.host}: {error}; whether it created the job is not known: the same "
                    "command looks for it before it creates one"
                ) from None
            client.backoff(attempt, getattr(error, "wait", None))
            if job := _existing(client, order, state, poll):
                return job
        except ApiError:
            write_json(state / STATE, {**_state(state), "sent": False})
            raise
    raise AssertionError("unreachable")


def _uploaded(client: Client, order: Order, role: str, state: Path, what: str) -> str:
    """The id of a file at the provider: of this run's earlier upload, or of a new one."""
    known = _state(state)
    if role in known and _has_file(client, known[role]):
        return str(known[role])
    name = f"{order.run[:16]}-{role}.jsonl"
    log.info(f"{what}: uploads {name}, {len(order.files[role]) / 1e6:.2f} MB, to {client.host}")
    file_id = str(client.upload(name, order.files[role], "fine-tune")["id"])
    write_json(state / STATE, {**_state(state), role: file_id})
    return file_id


def _has_file(client: Client, file_id: str) -> bool:
    try:
        return bool(client.get(f"files/{file_id}")["id"])
    except ApiError as error:
        if error.status == 404:
            return False
        raise


def _state(state: Path) -> Json:
    file = state / STATE
    return read_json(file) if file.is_file() else {}


def _ended(client: Client, job: Json, poll: float, what: str) -> Json:
    """The job when it has ended; its events are shown as they come."""
    shown: set[str] = set()
    progress = Progress()
    while True:
        events = _events(client, job["id"], known=shown)
        for event in reversed(events):
            shown.add(event["id"])
            log.info(f"{what}: {progress.line(event, job, time.time())}")
        if job["status"] in (SUCCEEDED, *ENDED_WITHOUT):
            return job
        client.wait(poll)
        status, job = job["status"], client.get(f"fine_tuning/jobs/{job['id']}")
        if job["status"] != status:
            log.info(f"{what}: {job['status']}")


class Progress:
    """Lines for events, with the time to go by the provider's estimate or by the steps so far."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None  # when, and the step

    def line(self, event: Json, job: Json, now: float) -> str:
        """What to show of an event."""
        data = event.get("data") or {}
        step, total = data.get("step"), data.get("total_steps")
        if event.get("type") != "metrics" or not isinstance(step, int | float):
            return squeezed(str(event.get("message") or event.get("type") or "an event"))
        losses = [
            f"{name.replace('_', ' ')} {data[name]:.3f}"
            for name in ("train_loss", "valid_loss")
            if isinstance(data.get(name), int | float)
        ]
        steps = f"step {step:g}" + (f" of {total:g}" if isinstance(total, int | float) else "")
        return ", ".join([steps, *losses, *self._to_go(event, job, step, total, now)])

    def _to_go(self, event: Json, job: Json, step: float, total: Any, now: float) -> list[str]:
        seconds = None
        when = float(event.get("created_at") or now)
        if isinstance(finish := job.get("estimated_finish"), int | float):
            seconds = finish - now
        elif self._first is None:
            self._first = when, step
        elif isinstance(total, int | float) and step > self._first[1]:
            rate = (when - self._first[0]) / (step - self._first[1])
            seconds = (total - step) * rate
        return [] if seconds is None else [f"about {max(0.0, seconds) / 60:.1f} min to go"]


def _events(client: Client, job_id: str, known: set[str] | None = None) -> list[Json]:
    """A job's events, the newest first; with `known` only those before the first known one."""
    events: list[Json] = []
    seen: set[str] = set()
    for event in _pages(client, f"fine_tuning/jobs/{job_id}/events"):
        # Where a provider gives events no id, one that is the same at the next look.
        event.setdefault("id", json.dumps(event, sort_keys=True))
        if known and event["id"] in known:
            break
        if event["id"] not in seen:  # pages move on while they are read
            seen.add(event["id"])
            events.append(event)
    return events


def _pages(client: Client, path: str) -> Iterator[Json]:
    """The entries of a list, of all its pages."""
    params: dict[str, Any] = {"limit": PAGE}
    while True:
        page = client.get(path, params)
        entries = page.get("data") or []
        last = entries[-1].get("id") if entries else None
        yield from entries
        # A provider that has no pages may give the same one again and again.
        if not page.get("has_more") or last in (None, params.get("after")):
            return
        params["after"] = last


def _why(job: Json) -> str:
    error = job.get("error") or {}
    said = ": ".join(str(error[key]) for key in ("code", "message") if error.get(key))
    return squeezed(f"{job['status']} ({said})" if said else str(job["status"]))


def history(events: Sequence[Json]) -> list[dict[str, Any]]:
    """Metrics events as entries of a Trainer's log, which curves are written from."""
    by_step: dict[int, dict[str, Any]] = {}
    names: Mapping[str, str] = {"train_loss": "loss", "valid_loss": "eval_loss"}
    for event in events:
        data = event.get("data") or {}
        if not isinstance(step := data.get("step"), int | float):
            continue
        values = {
            ours: float(data[theirs])
            for theirs, ours in names.items()
            if isinstance(data.get(theirs), int | float)
        }
        if values:
            by_step.setdefault(int(step), {"step": int(step)}).update(values)
    return [by_step[step] for step in sorted(by_step)]
