"""Callbacks of the Trainer: when to evaluate and save, progress, notes for a killed run."""

import time
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from finetune.core import killed
from finetune.core.progress import bar


class EvaluationSchedule(TrainerCallback):
    """Evaluates and saves a checkpoint at `num_evals` evenly spaced steps, the last one included.

    In between, a checkpoint is saved every `save_minutes`: a killed run loses no more than that.
    """

    def __init__(self, steps: int, num_evals: int, save_minutes: float) -> None:
        count = min(num_evals, steps)
        self.steps = {round(steps * (i + 1) / count) for i in range(count)}
        self.save_seconds = 60 * save_minutes
        self.saved_at = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.global_step in self.steps:
            control.should_evaluate = control.should_save = True
        control.should_save |= time.monotonic() - self.saved_at >= self.save_seconds

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.saved_at = time.monotonic()


class Heartbeat(TrainerCallback):
    """Notes the current optimizer step on disk, to be reported if the run is killed in it."""

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        killed.note(step=state.global_step + 1, steps=state.max_steps)


class ProgressBar(TrainerCallback):
    """A progress bar over optimizer steps with the latest losses; `desc` is its title."""

    def __init__(self, desc: str) -> None:
        self.desc = desc
        self.losses: dict[str, str] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.bar = bar(None, self.desc, "step", total=state.max_steps)
        self.bar.update(state.global_step)
        # On resume, the rate is computed from the steps of this process only.
        self.bar.initial = state.global_step

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.bar.update(state.global_step - self.bar.n)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float],
        **_: Any,
    ) -> None:
        for name, label in (("loss", "loss"), ("eval_loss", "validation")):
            if name in logs:
                self.losses[label] = f"{logs[name]:.3f}"
        self.bar.set_postfix(self.losses, refresh=False)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.bar.close()
