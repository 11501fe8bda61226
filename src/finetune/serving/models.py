"""The served models: tuned weights by the names that clients ask for, on as few bases as will do.

Plain LoRA adapters share one base. Of these one at a time is attached, merged into the base's
weights where `predict` merges it, and stays so until a batch is for another one.
"""

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from peft import get_peft_model_state_dict
from safetensors.torch import load_file
from transformers import PreTrainedModel

from finetune.core import paths
from finetune.core.errors import ModelError, UserError, squeezed
from finetune.core.files import read_json, short_hash
from finetune.core.schema import INDEPENDENT_INITS, Params, Task
from finetune.inference import budgets
from finetune.inference.budgets import Budgets
from finetune.inference.engines import builtin
from finetune.inference.engines.registry import Engine
from finetune.methods import adapters
from finetune.methods import registry as methods
from finetune.modeling import integrity, precision
from finetune.modeling.base import Base
from finetune.modeling.prompts import PromptEncoder
from finetune.serving.typed import Endpoint
from finetune.tasks import registry

# PEFT's name of the adapter that is loaded first.
FIRST = "default"
# A model's name stands in addresses and command lines.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Source:
    """A model to serve: the name that clients ask for, its task, and the folder of its weights."""

    name: str
    task: str
    folder: Path


@dataclass(frozen=True)
class Served:
    """A served model.

    adapter: its name in PEFT where several share the base, else None; adapter_hash: of the file of
    its weights, as in the metrics; writes_text: whether it continues a prompt, and does not answer
    with a number of its head.
    """

    name: str
    task: str
    options: Task
    base: Base
    budgets: Budgets
    encoder: PromptEncoder
    endpoint: Endpoint | None
    adapter: str | None
    adapter_hash: str
    writes_text: bool

    @property
    def model(self) -> PreTrainedModel:
        """The model with the adapter, which may not be the one that is attached."""
        return self.base.model


# Our engine, for a model that stands as it should: nothing is merged again for each batch.
ENGINE = cast(
    Engine,
    SimpleNamespace(
        **{**vars(builtin), "prepared": lambda model: contextlib.nullcontext()},
    ),
)


class Attached:
    """Which model stands ready in memory; for one thread."""

    def __init__(self) -> None:
        self._name: str | None = None
        self._merged = contextlib.ExitStack()

    def use(self, served: Served) -> None:
        """Attach a model's adapter, merged as `predict` merges it."""
        if served.name == self._name:
            return
        self.release()
        if served.adapter is not None:
            cast(Any, served.model).set_adapter(served.adapter)
        self._merged.enter_context(builtin.prepared(served.model))
        self._name = served.name

    def release(self) -> None:
        """Restore the base's weights."""
        self._name = None
        self._merged.close()


def sources(
    root: Path, settings: Params, tasks: Sequence[str], further: Sequence[str]
) -> list[Source]:
    """What to serve: the tuned model of each task, or of those named, and further adapters.

    Further ones are NAME=TASK:DIR.

    Raises:
        UserError: a task is unknown, or a name is taken or malformed.
    """
    for task in tasks:
        if task not in settings.tasks:
            raise UserError(f"no task {task!r}; known: {', '.join(settings.tasks)}")
    found = [Source(task, task, root / paths.adapter(task)) for task in tasks or settings.tasks]
    for text in further:
        name, _, rest = text.partition("=")
        task, _, folder = rest.partition(":")
        if not (NAME.fullmatch(name) and task and folder):
            raise UserError(
                f"--adapter: is {text!r}, must be NAME=TASK:DIR, the name of letters, digits, ., _ "
                "and -"
            )
        if task not in settings.tasks:
            known = ", ".join(settings.tasks)
            raise UserError(f"--adapter {text}: no task {task!r}; known: {known}")
        if any(each.name == name for each in found):
            raise UserError(f"--adapter {text}: there is a model {name!r} already")
        found.append(Source(name, task, Path(folder)))
    return found


def load(settings: Params, sources: Sequence[Source]) -> dict[str, Served]:
    """All models by name, in the order of the sources.

    Raises:
        ModelError: a base or what was tuned on it cannot be loaded.
        UserError: two kinds have the same endpoint.
    """
    shared: Base | None = None
    count = 0
    models: dict[str, Served] = {}
    for source in sources:
        adapter = None
        if not shares_base(source.folder):
            base = methods.load(settings.model, settings.method, source.folder)
        else:
            if shared is None:
                shared = methods.load(settings.model, settings.method, source.folder)
                adapter = FIRST
            else:
                adapter = f"adapter{count}"
                _attach(shared, source.folder, adapter)
            base, count = shared, count + 1
        models[source.name] = _served(settings, source, base, adapter)
    _check_paths(models.values())
    return models


def _check_paths(models: Iterable[Served]) -> None:
    kinds: dict[str, str] = {}
    for served in models:
        if (endpoint := served.endpoint) is not None:
            kind = served.options.kind
            other = kinds.setdefault(endpoint.path, kind)
            if other != kind:
                raise UserError(
                    f"{endpoint.path}: kinds {other} and {kind} both serve it; change the path in "
                    "one's serve.py, or serve some tasks only (finetune serve TASK)"
                )


def _served(settings: Params, source: Source, base: Base, adapter: str | None) -> Served:
    options = settings.tasks[source.task]
    return Served(
        name=source.name,
        task=source.task,
        options=options,
        base=base,
        budgets=budgets.resolve(settings.run, base.model),
        encoder=PromptEncoder(base.tokenizer, options.prompt, base.context),
        endpoint=registry.endpoint(options.kind),
        adapter=adapter,
        adapter_hash=short_hash(source.folder / methods.of(settings.method).WEIGHTS),
        writes_text=not methods.of(settings.method).ANSWERS_NUMBERS,
    )


def shares_base(folder: Path) -> bool:
    """Whether a folder holds an adapter that leaves its base as it is: one beside others.

    Not one whose start changed the base, nor one with trained biases or whole modules.
    """
    file = folder / adapters.CONFIG
    if not file.is_file():
        return False
    config = read_json(file)
    return (
        config.get("peft_type") == "LORA"
        and config.get("init_lora_weights") in (True, *INDEPENDENT_INITS)
        and config.get("bias", "none") == "none"
        and not config.get("modules_to_save")
    )


def _attach(base: Base, folder: Path, name: str) -> None:
    """Load a further adapter beside those that a base has.

    Raises:
        ModelError: it is missing, damaged, or not one of this base.
    """
    model = cast(Any, base.model)
    try:
        saved = load_file(folder / adapters.WEIGHTS)
        model.load_adapter(str(folder), adapter_name=name)
    except adapters.LOADING_ERRORS as error:
        raise ModelError(
            f"{folder}: the adapter does not fit the model: {squeezed(error)}"
        ) from error
    attached = get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False)
    integrity.check_adapter(str(folder), saved, attached)
    precision.disable_input_cast(model, base.dtype)
    model.eval()
