"""Callbacks of the Trainer: when to evaluate, save and stop; progress, notes for a killed run."""

import time
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from finetune.core import killed
from finetune.core.progress import bar
from finetune.training import curves, evaluations


class EvaluationSchedule(TrainerCallback):
    """Evaluates and saves a checkpoint at `num_evals` evenly spaced steps, the last one included.

    In between, a checkpoint is saved every `save_minutes`: a killed run loses no more than that;
    and every `save_steps`, where that is set.
    """

    def __init__(
        self, steps: int, num_evals: int, save_minutes: float, save_steps: int | None = None
    ) -> None:
        count = min(num_evals, steps)
        self.steps = {round(steps * (i + 1) / count) for i in range(count)}
        self.save_seconds = 60 * save_minutes
        self.save_steps = save_steps
        self.saved_at = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.global_step in self.steps:
            control.should_log = control.should_evaluate = control.should_save = True
        control.should_save |= time.monotonic() - self.saved_at >= self.save_seconds
        if self.save_steps:
            control.should_save |= state.global_step % self.save_steps == 0

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.saved_at = time.monotonic()


class EarlyStopping(TrainerCallback):
    """Stops a run after `patience` evaluations without improvement.

    They are counted in the Trainer's log, which is part of each checkpoint. transformers' own
    callback knows one metric, and a run that resumes where it stopped would take a step more.
    """

    def __init__(self, patience: int | None, higher_is_better: bool) -> None:
        self.patience, self.higher_is_better = patience, higher_is_better

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if self.is_over(state):
            control.should_training_stop = True

    def is_over(self, state: TrainerState) -> bool:
        """Whether a run is over at its last evaluation."""
        done = evaluations.of_history(state.log_history)
        return evaluations.is_over(done, self.patience, self.higher_is_better)


class RunningLoss(TrainerCallback, ExportableState):
    """The mean loss of the optimizer steps since the last log, and since the last evaluation.

    Part of the checkpoints, unlike the Trainer's own: a run that resumes between two points of a
    curve goes on to the same point.
    """

    def __init__(self) -> None:
        self.sums = {"log": 0.0, "evaluation": 0.0}
        self.steps = {"log": 0, "evaluation": 0}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        # On resume this is what the checkpoint kept. The Trainer would restore it only together
        # with its own control, which a run that was stopped must not get back.
        saved = state.stateful_callbacks.get(type(self).__name__, self.state())["attributes"]
        self.sums, self.steps = dict(saved["sums"]), dict(saved["steps"])

    def add(self, loss: float) -> None:
        """Count the mean loss of one step."""
        for since in self.sums:
            self.sums[since] += loss
            self.steps[since] += 1

    def take(self, since: str) -> float:
        """The mean since the last `log` or `evaluation`; the next one begins here."""
        mean = self.sums[since] / max(1, self.steps[since])
        self.sums[since], self.steps[since] = 0.0, 0
        return mean

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        attributes = {"sums": dict(self.sums), "steps": dict(self.steps)}
        return {"args": {}, "attributes": attributes}


class Clock(TrainerCallback, ExportableState):
    """The seconds that a run has trained for, over all processes that it was resumed in.

    Part of the checkpoints: what a killed process did after its last one is not counted.
    """

    def __init__(self) -> None:
        self.before, self.began = 0.0, time.monotonic()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        saved = state.stateful_callbacks.get(type(self).__name__)
        self.before = saved["attributes"]["seconds"] if saved else 0.0

    def seconds(self) -> float:
        """So far, the current process included."""
        return self.before + time.monotonic() - self.began

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"args": {}, "attributes": {"seconds": self.seconds()}}


class LiveCurves(TrainerCallback):
    """Writes the curves while a run goes on; what a killed run wrote after its checkpoint goes."""

    def __init__(self, writer: curves.Writer) -> None:
        self.writer = writer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.writer.begin(state.log_history)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.writer.add(state.log_history[-1])


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
