"""What the benches share: ways that take turns, each in a process of its own, and a task's rows."""

import importlib
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# What a process measured; {"failed": the last line that it printed} where it ended with an error.
Run = dict[str, Any]


def in_turns(
    ways: Sequence[str],
    rounds: int,
    run: Callable[[str], Run],
    log: Callable[[str, int, Run], None],
) -> dict[str, list[Run]]:
    """The runs of each way; every second round goes through the ways backwards.

    `log` is given the way, the number of the round and the run.
    """
    measured: dict[str, list[Run]] = {way: [] for way in ways}
    for turn in range(rounds):
        for way in ways if turn % 2 == 0 else reversed(ways):
            measured[way].append(run(way))
            log(way, turn + 1, measured[way][-1])
    return measured


def in_process(arguments: Sequence[str], source: Path = ROOT / "src") -> Run:
    """What a Python process prints as the JSON of its last line; it imports from `source`."""
    paths = os.pathsep.join(filter(None, (str(source), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT, env=environment
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return {"failed": last[:160]}
    return json.loads(lines[-1])


def spread(values: Sequence[float], decimals: int = 2) -> str:
    """The median, and the smallest and largest of the rounds."""
    if not values:
        return "–"
    middle, low, high = (
        f"{each:.{decimals}f}" for each in (statistics.median(values), min(values), max(values))
    )
    return f"{middle} ({low}–{high})"


def task_rows(name: str, data: str | None, count: int) -> list[Any]:
    """Cleaned rows of a task: drawn from a file in its source's form, or generated."""
    from finetune.core import params
    from finetune.data import readers
    from finetune.tasks import registry

    task = params.read(ROOT / "params.yaml").tasks[name]
    kind = registry.rows(task.kind)
    if data:
        fields = task.source.files.fields
        read = [
            {field: row.get(path) for field, path in fields.items()}
            for _, row in readers.read(Path(data))
            if isinstance(row, dict)
        ]
        chosen = random.Random(0).sample(read, min(count, len(read)))
        return [kind.clean(row) for row in chosen]
    generator = importlib.import_module(f"synthetic.rows.{task.source.embedded}")
    made = itertools.islice(generator.rows(random.Random(0)), count)
    return [kind.clean({"id": str(n), **row}) for n, row in enumerate(made)]
