"""Liger's kernels (Hsu et al. 2024): RMSNorm, gated layers and rotary positions, each as one.

Not run: no machine that this project was tested on has a GPU. Its loss is not used: the head is
computed where something is learned alone, and the number loss needs the logits.
"""

import importlib
import inspect

from transformers import PreTrainedModel

from finetune.core.errors import ParamsError
from finetune.modeling.precision import device

NEEDS_GPU = "run.gpu_kernels: needs a GPU; leave it false"
NOT_INSTALLED = "run.gpu_kernels: needs liger-kernel; pip install -r requirements-gpu.txt"


def use(model: PreTrainedModel) -> None:
    """Have a base's layers compute by Liger's kernels; before an adapter is attached.

    Raises:
        ParamsError: there is no GPU, the package is missing or has no kernels for the model.
    """
    if device() != "cuda":
        raise ParamsError(NEEDS_GPU)
    try:
        patches = importlib.import_module("liger_kernel.transformers.monkey_patch")
    except ImportError as error:
        raise ParamsError(NOT_INSTALLED) from error
    kind = model.config.model_type
    patch = patches.MODEL_TYPE_TO_APPLY_LIGER_FN.get(kind)
    taken = inspect.signature(patch).parameters if patch else {}
    gates = [gate for gate in ("swiglu", "geglu") if gate in taken]  # Gemma's is the second
    if patch is None or not {"rope", "rms_norm", "model"} <= set(taken) or not gates:
        raise ParamsError(f"run.gpu_kernels: Liger has none for {kind}; leave it false")
    losses = {name: False for name in taken if "cross_entropy" in name}
    patch(rope=True, rms_norm=True, **dict.fromkeys(gates, True), **losses, model=model)
