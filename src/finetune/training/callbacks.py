"""What happens beside the optimization: measuring at set steps, saving, a progress bar."""

import time
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from finetune.core import killed
from finetune.core.progress import bar


class Milestones(TrainerCallback):
    """Measures validation loss and saves a checkpoint `evaluations` times, the last at the end.

    In between a checkpoint is saved every `save_minutes`: what a kill can cost at most.
    """

    def __init__(self, steps: int, evaluations: int, save_minutes: float) -> None:
        count = min(evaluations, steps)
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
    """Notes the step that a run is at, for the case that it is killed in it."""

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        killed.note(step=state.global_step + 1, steps=state.max_steps)


class Progress(TrainerCallback):
    """A bar over optimizer steps with the latest losses and a time to go."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.losses: dict[str, str] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.bar = bar(None, self.what, "step", total=state.max_steps)
        self.bar.update(state.global_step)
        # After a resume the rate is that of the steps done now, not of those done before.
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
