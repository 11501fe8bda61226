"""Seconds, rows a second and peak memory of `fetch` and `prepare`, by the number of rows.

    python bench/data.py --rows 10000 50000 200000 800000

Prices of products from a JSON lines file, made for this: the synthetic shop's descriptions, each
with features in words of a large vocabulary, so that a row has as many words as a real one (some
130); of a hundred rows two repeat an earlier one and three change some words of one. `--source
embedded` takes the rows of the synthetic shop as they are instead, which are much like each other.
Each stage runs in a process of its own, with the parameters of the repository. Memory is the peak
of that process, and of it and those that it starts together, looked at ten times a second.
"""

import argparse
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from interleaved import ROOT, Run
from tabulate import tabulate

ROWS = (10_000, 50_000, 200_000, 800_000)
STAGES = ("fetch", "prepare")
WORDS, VOCABULARY = 98, 50_000
REPEATED, EDITED = 0.02, 0.03
TEST = 0.02


def main() -> None:
    """Print a row for each stage and number of rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="*", type=int, default=ROWS)
    parser.add_argument("--source", choices=["files", "embedded"], default="files")
    parser.add_argument("--set", nargs="*", default=[], help="parameters, as with dvc exp run -S")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        _run(options.one)
        return
    table = []
    for count in options.rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            _configure(folder, count, options.source, options.set)
            for stage in STAGES:
                run = _measured(stage, folder)
                table.append(_table_row(stage, count, run))
                print(json.dumps({"rows": count, "stage": stage, **run}), file=sys.stderr)
    headers = ["rows", "stage", "seconds", "rows/s", "peak GB", "with its processes"]
    print(tabulate(table, headers, tablefmt="github", floatfmt=".2f", intfmt=","))


def _table_row(stage: str, count: int, run: Run) -> list[Any]:
    if "failed" in run:
        return [count, stage, run["failed"]]
    seconds = run["seconds"]
    return [count, stage, f"{seconds:.1f}", f"{count / seconds:,.0f}", run["peak"] / 1e9,
            run["tree"] / 1e9]  # fmt: skip


def _configure(folder: Path, count: int, source: str, overrides: Sequence[str]) -> None:
    from finetune import composition

    test = round(TEST * count)
    sizes = {"train": count - test, "test": test}
    if source == "files":
        (folder / "price").mkdir()
        made = rows(count)
        for split, size in sizes.items():
            with (folder / f"price/{split}.jsonl").open("w", encoding="utf-8") as file:
                file.writelines(f"{json.dumps(row)}\n" for row in itertools.islice(made, size))
        overrides = ["data=files", f"data.root={folder}", *overrides]
    else:
        rows_of = [f"data.embedded.rows.{split}={size}" for split, size in sizes.items()]
        overrides = [*rows_of, "data.embedded.rows.validation=1", *overrides]
    (folder / "params.yaml").write_text(composition.compose(ROOT, overrides), encoding="utf-8")
    (folder / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text(encoding="utf-8"))


def rows(count: int) -> Iterator[dict[str, Any]]:
    """So many rows; the same ones come first, however many there are."""
    from synthetic.rows import products

    drawn = np.random.default_rng(0)
    vocabulary = np.array(_vocabulary(random.Random(0)), dtype=object)
    # Zipf's law: the word of rank r is 1/r as frequent as the first.
    frequencies = np.cumsum(1 / np.arange(1, VOCABULARY + 1))
    shop = products.rows(random.Random(0))
    texts: list[str] = []
    for number in range(count):
        which = drawn.random()
        product = next(shop)
        if texts and which < REPEATED + EDITED:
            text = texts[int(drawn.integers(len(texts)))]
            if which >= REPEATED:
                text = _edited(text, drawn, vocabulary)
        else:
            places = np.searchsorted(frequencies, drawn.random(WORDS) * frequencies[-1])
            text = f"{product['text']}\n{' '.join(vocabulary[places])}"
            # Some earlier rows are enough to repeat.
            if len(texts) < 20_000:
                texts.append(text)
        yield {"id": f"p{number}", **product, "text": text}


def _vocabulary(drawn: random.Random) -> list[str]:
    letters = "etaoinshrdlucmwfgypbvk"
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        words["".join(drawn.choices(letters, k=drawn.randint(2, 9)))] = None
    return list(words)


def _edited(text: str, drawn: np.random.Generator, vocabulary: np.ndarray) -> str:
    words = text.split(" ")
    for place in drawn.choice(len(words), 3, replace=False):
        words[place] = vocabulary[int(drawn.integers(VOCABULARY))]
    return " ".join(words)


def _measured(stage: str, folder: Path) -> Run:
    """Seconds of a stage, and bytes of its own peak and of that with the processes it starts."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, __file__, "--one", stage]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        tree = 0
        while process.poll() is None:
            tree = max(tree, _held(process.pid))
            time.sleep(0.1)
        assert process.stdout is not None
        lines = process.stdout.read().strip().splitlines()
    if process.returncode or not lines:
        return {"failed": f"exit code {process.returncode}"}
    return {**json.loads(lines[-1]), "tree": tree}


def _held(pid: int) -> int:
    """Bytes of RAM that a process and all below it hold, what they share counted once for each."""
    held = 0
    try:
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            held += each.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return held


def _run(stage: str) -> None:
    """Run a stage in this process, which stands in the folder of the measurement."""
    import importlib

    from finetune.core import params

    started = time.perf_counter()
    module = importlib.import_module(f"finetune.stages.{stage}")
    module.run(params.for_stage(stage, "price"), "price")
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak": _peak()}))


def _peak() -> int:
    """As `training.hardware.resident_peak`, whose module would import torch first."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (peak,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    main()
