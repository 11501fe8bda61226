"""`params.yaml`, read and validated; a stage sees only the sections that dvc.yaml gives it.

The file is composed from `conf/` (see `finetune params`) and committed. Every stage validates all
of it before it starts, so that a mistake in `lora` is reported by the first stage that runs.
"""

import fnmatch
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, get_args, get_origin

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from finetune.core import kinds, pipeline_yaml, yaml_text
from finetune.core.errors import FileError, ParamsError, brief, squeezed
from finetune.core.files import read_text
from finetune.core.schema import COMPOSED, Params, Section, Task, check_task_names

# Parameters that had another name: the old one, `*` for any task, to the key that replaces it.
RENAMED = {
    "train.micro_batch_size": "run.token_budget",
    "tasks.*.eval.batch_size": "run.eval_token_budget",
    "report.usd_per_hour": "run.usd_per_hour",
    "data.max_bad_share": "data.max_bad_rate",
    "data.test_share": "data.test_fraction",
    "data.validation_share": "data.validation_fraction",
    "train.warmup_share": "train.warmup_ratio",
    "train.evaluations": "train.num_evals",
    "train.number_loss": "tasks.price.train.number_loss",
    "tasks.*.ladder": "tasks.{}.baselines",
    "tasks.*.eval.floor": "tasks.{}.eval.prune_below",
    "tasks.*.eval.least_mass": "tasks.{}.eval.min_mass",
    "tasks.*.score.hit_share": "tasks.{}.score.hit_fraction",
    "tasks.*.score.hit_usd": "tasks.{}.score.hit_within",
}


def is_composed(key: str) -> bool:
    """Whether a parameter says nothing that others do not say."""
    return any(fnmatch.fnmatchcase(key, f"tasks.*.train.{name}.*") for name in COMPOSED)


def new_key(key: str) -> str | None:
    """The key that replaces a parameter that goes by another name now; None for any other."""
    for old, new in RENAMED.items():
        if fnmatch.fnmatchcase(key, old):
            return new.format(key.split(".")[1]) if "{}" in new else new
    return None


def renamed(key: str) -> str | None:
    """What to say of a parameter that goes by another name now; None for any other."""
    new = new_key(key)
    return f"is not a parameter any more; set {new} instead" if new else None


def read(path: Path) -> Params:
    """The validated parameters of a file.

    OmegaConf reads numbers such as `1e-05` as numbers, where PyYAML makes text of them.

    Raises:
        ParamsError: the file is missing or not YAML, or a key is unknown or its value not allowed.
    """
    try:
        text = read_text(path)
    except FileError as error:
        raise ParamsError(str(error)) from None
    except FileNotFoundError:
        raise ParamsError(f"{path}: not found; run `finetune params` to compose it") from None
    return validate_text(text, str(path))


def validate_text(text: str, where: str) -> Params:
    """The parameters of a params.yaml's text; see `read`."""
    return validate(read_yaml(text, where), where)


def read_yaml(text: str, where: str) -> dict[str, Any]:
    """The values of a params.yaml's text, not validated; see `read`."""
    try:
        config = yaml_text.parse(text, where, OmegaConf.create)
    except FileError as error:
        raise ParamsError(str(error)) from None
    except OmegaConfBaseException as error:
        raise ParamsError(f"{where}: cannot be read: {squeezed(error)}") from None
    if not isinstance(config, DictConfig):
        raise ParamsError(f"{where}: holds no sections; run `finetune params` to compose it")
    return OmegaConf.to_container(config, resolve=False)


def validate(values: Any, where: str) -> Params:
    """The parameters of a plain dictionary; `where` names its origin in messages.

    Each task is validated by its kind's own `options.py`.

    Raises:
        ParamsError: a key is unknown or its value not allowed; the message names all such keys.
    """
    tasks, mistakes = _tasks(values)
    # Those of a kind are validated by it alone: the others would lack their kinds' parameters.
    whole = values if tasks is None else {**values, "tasks": tasks}
    try:
        params = Params.model_validate(whole)
    except ValidationError as error:
        details = [d for d in error.errors() if not (mistakes and d["loc"][:1] == ("tasks",))]
        mistakes |= _mistakes(details, (), values)
        raise _refused(where, mistakes) from None
    if mistakes:
        raise _refused(where, mistakes)
    return params


def _refused(where: str, mistakes: dict[str, str]) -> ParamsError:
    lines = [_joined(key, what) for key, what in mistakes.items()]
    return ParamsError(f"{where}: {'; '.join(lines)}")


def _tasks(values: Any) -> tuple[dict[str, Task] | None, dict[str, str]]:
    """The tasks, each as its kind's own type, and what is wrong with them by key.

    None where that is for the validation of the whole to say.
    """
    sections = values.get("tasks") if isinstance(values, dict) else None
    if not isinstance(sections, dict):
        return None, {}
    try:
        check_task_names(sections)
    except ValueError:
        return None, {}
    tasks: dict[str, Task] = {}
    mistakes: dict[str, str] = {}
    for name, section in sections.items():
        if not isinstance(section, dict):
            mistakes[f"tasks.{name}"] = f"is {brief(section)}, must be a section"
            continue
        try:
            tasks[name] = _task_model(section).model_validate(section)
            _check_baselines(tasks[name])
        except ValidationError as error:
            mistakes |= _mistakes(error.errors(), ("tasks", name), values)
        except ParamsError as error:
            key, _, what = str(error).partition(": ")
            mistakes[f"tasks.{name}.{key}"] = what
    return tasks, mistakes


def _task_model(section: dict[str, Any]) -> type[Task]:
    """The type of a task's parameters, by its kind."""
    kind = section.get("kind")
    if kind is None:
        raise ParamsError("kind: is missing")
    return cast(type[Task], kinds.load(str(kind), "options").Task)


def _check_baselines(task: Task) -> None:
    known = [baseline.name for baseline in kinds.load(task.kind, "baselines").BASELINES]
    for name in task.baselines:
        if name not in known:
            raise ParamsError(f"baselines: {name!r} is none of {', '.join(known)}")


def _mistakes(
    details: Sequence[ErrorDetails], place: tuple[str, ...], values: Any
) -> dict[str, str]:
    """What is wrong by key; `place` is the section that was validated.

    A field of two types gives an error for each; one message a key says enough.
    """
    mistakes = {
        key: _what(key, _key(detail, place), detail, values)
        for detail in details
        for key in _old_keys(_key(detail, place), detail)
    }
    # Where an old name stands, that says it all: the new one is missing because of it.
    replaced = {new for key in mistakes if (new := new_key(key))}
    return {key: what for key, what in mistakes.items() if key not in replaced}


def _key(detail: ErrorDetails, place: tuple[str, ...]) -> str:
    """`tasks.price.eval.estimate`: the location without the names of union members."""
    location = [*place, *(str(part) for part in detail["loc"])]
    return ".".join(part for part in location if part not in ("str", "list[str]"))


def _joined(key: str, what: str) -> str:
    """Key and message; a check of a whole section names the key within it by itself."""
    is_named = re.match(r"[\w.]+: ", what)
    return f"{key}{'.' if is_named else ': '}{what}" if key else what


def _old_keys(key: str, detail: ErrorDetails) -> list[str]:
    """The key of a mistake; of a section that is gone as a whole, its keys that were renamed."""
    given = detail["input"]
    is_section = detail["type"] == "extra_forbidden" and isinstance(given, dict)
    inner = [f"{key}.{name}" for name in given] if is_section else []
    return [name for name in inner if renamed(name)] or [key]


def _what(key: str, where: str, detail: ErrorDetails, values: Any) -> str:
    """What is wrong with a key, whose mistake stands at `where`."""
    match detail["type"]:
        case "value_error":
            return str(detail["ctx"]["error"])
        case "missing":
            return "is missing"
        case "extra_forbidden" if message := renamed(key):
            return message
        case "extra_forbidden":
            return f"is not a parameter; known here: {', '.join(_section(where, values))}"
        case "model_type":
            fields = _section(f"{where}.", values)
            # Those that there must be, such as the value of an assumption, before its source.
            first, *others = sorted(fields, key=lambda name: not fields[name].is_required())
            keys = ", ".join([f"{key}.{first}", *(f".{name}" for name in others)])
            return f"is {detail['input']!r:.60}, must be a section: set {keys}"
        case _:
            # "Input should be a valid integer", "String should match pattern …"
            message = detail["msg"].partition(" should ")[2] or detail["msg"]
            return f"is {brief(detail['input'])}, must {message}"


def _section(key: str, values: Any) -> dict[str, FieldInfo]:
    """What the section in which a key stands does know, by name."""
    model: Any = Params
    for part in key.split(".")[:-1]:
        values = values.get(part) if isinstance(values, dict) else None
        if model is Params and part == "tasks":
            model = dict
        elif model is dict:
            model = _task_model(values or {})
        elif isinstance(model, tuple):  # a dictionary of sections, in which the part is a name
            (model,) = model
        else:
            annotation = model.model_fields[part].annotation
            section = _sections_of(annotation)[0]
            model = (section,) if get_origin(annotation) is dict else section
    return dict(model.model_fields)


def _sections_of(annotation: Any) -> list[type[Section]]:
    """The types of sections that a parameter's type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [section for each in get_args(annotation) for section in _sections_of(each)]


class UndeclaredParameter(AttributeError):
    """A stage reads a parameter that dvc.yaml does not declare for it."""


# What every stage may read without declaring it: no result depends on it beyond rounding.
UNDECLARED = "run"


class StageParams(Params):
    """The parameters that a stage may read, as type checkers see them; `Declared` at run time."""

    @property
    def task(self) -> Task:
        """The task that the stage runs for."""
        raise NotImplementedError


class Declared:
    """The parameters that dvc.yaml declares for one stage, and `run`; reading another one raises.

    `declared.task` is the task that the stage runs for.
    """

    def __init__(self, params: Params, stage: str, keys: list[str], task: str | None) -> None:
        self._values: Any = params
        self._keys = [*keys, UNDECLARED]
        self._stage, self._task, self._path = stage, task, ""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name == "task" and not self._path and self._task is not None:
            return self.__getattr__("tasks").__getattr__(self._task)
        path = f"{self._path}.{name}".lstrip(".")
        values = self._values
        value = values[name] if isinstance(values, dict) else getattr(values, name)
        if any(path == key or path.startswith(f"{key}.") for key in self._keys):
            return value
        if any(key.startswith(f"{path}.") for key in self._keys):
            inner = Declared(value, self._stage, self._keys, self._task)
            inner._path = path
            return inner
        raise UndeclaredParameter(
            f"stage {self._stage} reads {path}, which dvc.yaml does not list in its params"
        )


def for_stage(stage: str, task: str | None, root: Path = Path()) -> StageParams:
    """Validate `params.yaml` under `root`, and give what dvc.yaml declares for `stage`.

    Raises:
        ParamsError: see `read`; also for a task that the parameters do not hold, and for a model of
            the hub without a commit, before the first stage spends time.
    """
    params = read(root / "params.yaml")
    if params.model.source == "hub" and params.model.revision is None:
        raise ParamsError(_unpinned(params.model.name, root))
    if task is not None and task not in params.tasks:
        raise ParamsError(f"tasks: no task {task!r}; known: {', '.join(params.tasks)}")
    keys = declared_keys(root / "dvc.yaml", stage, task)
    return cast(StageParams, Declared(params, stage, keys, task))


def _unpinned(model: str, root: Path) -> str:
    preset = _preset(model, root)
    if preset is None:
        return f"model.revision: is not set for {model}; give the full SHA of a commit of it"
    return (
        f"model.revision: is not set for {model}; `finetune pin model={preset}` asks the hub for "
        f"its current commit and writes it into conf/model/{preset}.yaml"
    )


def _preset(model: str, root: Path) -> str | None:
    """The name of the file in conf/model/ that is of a hub model."""
    for file in sorted((root / "conf/model").glob("*.yaml")):
        try:
            values = yaml.safe_load(file.read_text(encoding="utf-8"))
        except yaml.YAMLError:
            continue
        if isinstance(values, dict) and values.get("name") == model:
            return file.stem
    return None


def declared_keys(dvc_yaml: Path, stage: str, task: str | None) -> list[str]:
    """What dvc.yaml lists under `params` for a stage, with the task's name filled in."""
    entry = pipeline_yaml.entry(dvc_yaml, stage)
    body = pipeline_yaml.body(entry)
    if "foreach" in entry and task is None:
        raise ParamsError(f"which task? {body['cmd']} TASK")
    keys = body.get("params", [])
    return [key.replace("${key}", task or "*") for key in keys]
