"""Inference that resumes after a kill: its budgets, its answers and its time so far."""

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from finetune.core import killed, processes, runstate
from finetune.core.errors import is_out_of_memory
from finetune.core.files import read_json, write_json
from finetune.core.schema import Run
from finetune.inference import budgets
from finetune.inference.budgets import Budgets
from finetune.modeling import answered

log = logging.getLogger(__name__)

FILE = "budgets.json"
SECONDS = "seconds.json"


class Clock:
    """How long a run takes: this process, and those before it as far as they saved their time."""

    def __init__(self, run_state: Path) -> None:
        self._file = run_state / SECONDS
        self._before = read_json(self._file)["seconds"] if self._file.is_file() else 0.0
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """The time of all processes of the run so far."""
        return self._before + time.monotonic() - self._started

    def save(self) -> None:
        """Keep the time so far for a process that resumes the run."""
        write_json(self._file, {"seconds": self.seconds})


@dataclass(frozen=True)
class Resumed:
    """The engine and the budgets of a run, the store of its answers, and its time."""

    engine: str
    budgets: Budgets
    store: answered.Store
    clock: Clock

    def metrics(self) -> dict[str, Any]:
        """What depends on the machine, as the metric files have it under `run`.

        `minutes` are without loading the model; a process that was killed outright, not by Ctrl-C
        or an error, counts up to when it last saved, `run.save_minutes` before at most.
        """
        return {
            "engine": self.engine,
            **self.budgets.metrics(),
            "minutes": round(self.clock.seconds / 60, 2),
            "resumed_rows": self.store.resumed_rows,
            "processes": processes.count(),
        }


@contextlib.contextmanager
def resumed(run_state: Path, run: Run, model: PreTrainedModel) -> Iterator[Resumed]:
    """Answer in this block from the run state; it is removed if the block ends without an error.

    The batches are those that the killed run formed, whatever memory is free now. Where they must
    shrink, since memory ran out, or where the parameters ask for others, all rows are answered
    anew, and a line says so; also, without a line, by another engine or on another device.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(runstate.locked(run_state, run.push_state))
        clock = Clock(run_state)

        def saved_time() -> None:
            if processes.is_main():
                clock.save()
                runstate.saved(run_state)

        store = stack.enter_context(answered.kept(run_state, run.save_minutes, saved_time))
        file = run_state / FILE
        device = model.device.type
        fitting = budgets.resolve(run, model)
        chosen, is_anew = processes.from_main(lambda: _begin(file, device, run, fitting, store))
        if is_anew:
            store.clear()
        try:
            yield Resumed(run.engine, chosen, store, clock)
        except (RuntimeError, MemoryError) as error:
            half = halved(chosen, run)
            if is_out_of_memory(error) and half != chosen:
                _save(file, device, run.engine, chosen, ran_out=True)
                log.warning(f"the same command starts again with batches of {_sizes(half)}")
            raise


def _begin(
    file: Path, device: str, run: Run, fitting: Budgets, store: answered.Store
) -> tuple[Budgets, bool]:
    """The budgets to answer with, kept in a file, and whether the run began with others or none."""
    chosen = fitting
    saved, ran_out = _load(file, device, run.engine)
    if saved:
        began = halved(saved, run) if ran_out or killed.ran_out_of_memory() else saved
        chosen = requested(run, chosen, began)
    if saved != chosen:
        if saved:
            log.warning(
                f"answers all rows anew: batches of {_sizes(chosen)} where it began with "
                f"{_sizes(saved)}"
            )
        store.clear()
    _save(file, device, run.engine, chosen)
    return chosen, saved != chosen


def halved(chosen: Budgets, run: Run) -> Budgets:
    """Half of each budget that is `auto`; what the parameters set stays."""
    tokens, cache_bytes = chosen.prompt_tokens, chosen.cache_bytes
    if run.eval_token_budget == "auto":
        tokens = max(1, tokens // 2)
    if run.cache_gb == "auto":
        cache_bytes = max(1, cache_bytes // 2)
    return Budgets(tokens, cache_bytes)


def requested(run: Run, now: Budgets, began: Budgets) -> Budgets:
    """The budgets that a run began with, but those that the parameters set."""
    if run.eval_token_budget != "auto":
        began = replace(began, prompt_tokens=now.prompt_tokens)
    if run.cache_gb != "auto":
        began = replace(began, cache_bytes=now.cache_bytes)
    return began


def _sizes(chosen: Budgets) -> str:
    sizes = chosen.metrics()
    return f"{sizes['prompt_tokens']} tokens and {sizes['cache_gb']:g} GB of cache"


def _load(file: Path, device: str, engine: str) -> tuple[Budgets | None, bool]:
    """The budgets that a run on such a device and by such an engine began with, if there was one.

    And whether an allocation failed with them.
    """
    if not file.is_file():
        return None, False
    values: dict[str, Any] = read_json(file)
    if (values.pop("device", None), values.pop("engine", None)) != (device, engine):
        return None, False
    ran_out = values.pop("ran_out", False)
    return Budgets(**values), ran_out


def _save(file: Path, device: str, engine: str, chosen: Budgets, ran_out: bool = False) -> None:
    values = {"prompt_tokens": chosen.prompt_tokens, "cache_bytes": chosen.cache_bytes}
    write_json(file, {"device": device, "engine": engine, **values, "ran_out": ran_out})
