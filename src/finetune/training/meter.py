"""Speed, memory, power and cost of a run while it goes on: what depends on the machine."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psutil
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from finetune.core.memory import GB
from finetune.training.examples import Example, Step, lengths

log = logging.getLogger(__name__)


class Meter(TrainerCallback):
    """Measures optimizer steps; `point` gives what they took since the point before.

    Evaluations and saves are left out of the speed, and counted in the cost. What a killed process
    did after its last checkpoint is in neither, as it is in no curve.
    """

    def __init__(
        self, steps: Sequence[Step], examples: Sequence[Example], usd_per_hour: float | None
    ) -> None:
        self.steps, self.examples = steps, examples
        self.usd_per_hour = usd_per_hour
        self.tokens, self.seconds = 0, 0.0
        self.step_began = self.point_at = time.monotonic()
        self.gpu = Gpu() if torch.cuda.is_available() else None

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.step_began = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.seconds += time.monotonic() - self.step_began
        self.tokens += sum(lengths(self.examples, self.steps[state.global_step - 1].rows))

    def point(self, history: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """The values of `curves.HARDWARE` as far as they can be had; `history` is the log so far.

        usd: the cost of training so far, at `run.usd_per_hour`.
        """
        now = time.monotonic()
        values = {
            "tokens_per_second": round(self.tokens / max(self.seconds, 1e-9)),
            "memory_gb": round(memory() / GB, 3),
            **(self.gpu.values() if self.gpu else {}),
        }
        if self.usd_per_hour is not None:
            before = next((entry["usd"] for entry in reversed(history) if "usd" in entry), 0.0)
            spent = (now - self.point_at) / 3600 * self.usd_per_hour
            values["usd"] = round(before + spent, 6)
        self.tokens, self.seconds, self.point_at = 0, 0.0, now
        return values


def memory() -> int:
    """Bytes that this process holds now: of the GPU where there is one, else of main memory."""
    if torch.cuda.is_available():
        return torch.cuda.memory_reserved()
    return psutil.Process().memory_info().rss


class Gpu:
    """Utilization and power of the GPU, by NVIDIA's library; without it, or a right, nothing."""

    def __init__(self) -> None:
        self.has_logged = False

    def values(self) -> dict[str, float]:
        """Utilization in % of the last sampling period, and power in W; both at this moment."""
        try:
            return {
                "gpu_utilization_percent": float(torch.cuda.utilization()),
                "gpu_power_watts": round(torch.cuda.power_draw() / 1000, 1),
            }
        except Exception as error:  # of NVML, or its package: a curve must not end a run
            if not self.has_logged:
                log.info(f"no curves of the GPU's utilization and power: {error}")
            self.has_logged = True
            return {}
