"""A Trainer whose runs resume exactly: sealed checkpoints, and saves on Ctrl-C."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import nn
from transformers import (
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from finetune.core import processes, runstate
from finetune.core.errors import UserError, is_out_of_memory, squeezed
from finetune.core.interrupts import Interruption
from finetune.core.memory import GB
from finetune.training import state


class ResumableTrainer(Trainer):
    """A Trainer that seals each checkpoint, and rotates them only then.

    Of several processes each has one, of which that of the main process alone saves.
    """

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Save, seal and rotate.

        Raises:
            UserError: it cannot be written; what there is of it is removed.
        """
        if not processes.is_main():
            self.restore_position()
            return
        run_state = Path(self.args.output_dir)
        folder = run_state / f"{state.CHECKPOINT}{self.state.global_step}"
        try:
            super()._save_checkpoint(model, trial)
            # Nothing reads it, and it holds paths of this machine.
            (folder / "training_args.bin").unlink(missing_ok=True)
            state.seal(folder)
        except (OSError, RuntimeError, SafetensorError) as error:
            if isinstance(error, RuntimeError) and is_out_of_memory(error):
                raise
            shutil.rmtree(folder, ignore_errors=True)
            raise UserError(_not_saved(folder, error)) from error
        state.rotate(run_state, self.state.best_global_step)

    def _load_best_model(self) -> None:
        processes.barrier()  # the main process has saved it
        super()._load_best_model()

    def restore_position(self) -> None:
        """Look for the best checkpoint where the run state is now, not where it was saved."""
        run_state = Path(self.args.output_dir)
        if best := self.state.best_global_step:
            self.state.best_model_checkpoint = str(run_state / f"{state.CHECKPOINT}{best}")


def _not_saved(folder: Path, error: Exception) -> str:
    usage = shutil.disk_usage(folder.parent)
    earlier = state.checkpoints(folder.parent)
    resumes = f"resumes from {earlier[-1].name}" if earlier else "starts anew"
    return (
        f"{folder} could not be saved ({squeezed(error):.150}); {usage.free / GB:.2f} GB are free "
        f"there: free some disk space, then the same command {resumes}"
    )


class Resume(TrainerCallback):
    """Restores the position of a resumed run; on a signal, saves after the step and ends."""

    def __init__(self, restore: Callable[[], None], interruption: Interruption) -> None:
        self.restore, self.interruption = restore, interruption

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.restore()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        control.should_save |= self.interruption.number is not None

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        runstate.saved(Path(args.output_dir))
        self.interruption.end(
            f"saved after step {state.global_step} of {state.max_steps}; the same command resumes "
            "there"
        )
