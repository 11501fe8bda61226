"""One process of several of a stage: `python -m finetune.core.rank MODULE [TASK]`, by `launch`.

What must be so before torch is imported: which GPU is seen, who is told of signals, and that
transformers and accelerate take this process for a single one.
"""

import logging
import os
import runpy
import signal
import sys
import threading
import time
import warnings
from types import FrameType

from finetune.core import interrupts, processes
from finetune.core.errors import INTERRUPTED

SECONDS_BETWEEN_LOOKS = 0.5


def main() -> None:
    """Become one rank, then run a stage's module as Python would."""
    _end_with(os.getppid())
    is_main = os.environ["RANK"] == "0"
    # SIGINT is what the parent passes on, to rank 0 alone, which saves and ends. By SIGTERM the
    # launcher ends a rank when another has died; only rank 0 has anything to put in order then.
    signal.signal(signal.SIGINT, signal.default_int_handler if is_main else signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end if is_main else signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupts.SIGNALS = (signal.SIGINT,)
    interrupts.is_announced = False  # by the parent
    _become(os.environ)
    # It asks whether the ranks were meant for it.
    logging.getLogger("transformers.training_args").setLevel(logging.ERROR)
    if not is_main:
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        processes.disconnect()
    except KeyboardInterrupt:  # before the stage began
        sys.exit(INTERRUPTED)
    finally:
        # What Python does at its end prints a traceback where a handler raises.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _become(environment: "os._Environ[str]") -> None:
    """Take on what the launcher says in variables, and take them away from accelerate."""
    rank = environment.pop("RANK")
    environment[processes.RANK] = rank
    environment[processes.COUNT] = environment.pop("WORLD_SIZE")
    for name in list(environment):
        if name.startswith(("ACCELERATE_", "LOCAL_", "GROUP_", "ROLE_")):
            del environment[name]
    if gpus := environment.get(processes.GPUS):
        environment["CUDA_VISIBLE_DEVICES"] = gpus.split(",")[int(rank)]


def _end(number: int, _: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(processes.LOST)


def _end_with(parent: int) -> None:
    """End at once when the parent has, however that ended: nobody else would end this process."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=look, daemon=True).start()


if __name__ == "__main__":
    main()
