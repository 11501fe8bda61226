"""How every stage starts and ends: `python -m finetune.stages.NAME [TASK]`."""

import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from finetune import killed, params
from finetune.errors import EXIT_CODE, UserError


def main(run: Callable[..., None]) -> None:
    """Run one stage; a user's mistake is one line and exit code 2, with nothing written."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for chatty in ("absl", "httpx", "datasets", "fsspec", "dvclive", "dvc"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Deprecations between libraries whose versions are pinned: nothing that a user could act on.
    warnings.filterwarnings("ignore", category=FutureWarning)
    stage = Path(sys.argv[0]).stem
    task = sys.argv[1] if len(sys.argv) > 1 else None
    try:
        declared = params.for_stage(stage, task)
        with killed.watched(stage, task):
            run(declared, task) if task else run(declared)
    except UserError as error:
        name = f"{stage}@{task}" if task else stage
        print(f"finetune: {name}: {error}", file=sys.stderr)
        sys.exit(EXIT_CODE)
