"""Shapes of the hub models of `conf/model/`, so that a run can be planned without a network.

`<preset>.json` holds a model's hub name and the fields of its config.json that determine shapes:
sizes, heads, vocabulary, tied embeddings, attention pattern. Fields that only change values are
left out (dropout, initializer, norm epsilon, special tokens, Phi's long-context frequencies): such
a config gives a model of the published size on the meta device, but must not be used with weights.
"""

import copy
import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def config(name: str) -> "PreTrainedConfig | None":
    """The config of a hub model such as `Qwen/Qwen3-8B`; None if it is not included."""
    fields = _fields().get(name)
    if fields is None:
        return None
    from transformers import AutoConfig  # takes seconds to import

    return AutoConfig.for_model(**copy.deepcopy(fields))  # it modifies the nested dictionaries


def names() -> list[str]:
    """The hub names of all included models."""
    return list(_fields())


@cache
def _fields() -> dict[str, dict[str, Any]]:
    files = (file for file in resources.files(__name__).iterdir() if file.name.endswith(".json"))
    known = [json.loads(file.read_text("utf-8")) for file in sorted(files, key=lambda f: f.name)]
    return {model["name"]: model["config"] for model in known}
