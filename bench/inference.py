"""Rows a second of inference against what a user would pick instead, the same answers each time.

    python bench/inference.py --task samsum --model models/smollm2 --data DIR/samsum/test.json
    python bench/inference.py --task price --model models/smollm2 --data DIR/price/test.jsonl

Each way has the same model, adapter, token ids of prompts, precision and greedy decoding, and a
process of its own; ways take turns. The task samsum asks for an answer and the log-likelihood of
the row's reference, price for the distribution over the prices 0 to 999. Timed is what follows
loading and a first pass; CPU time, of all threads, is disturbed less by other work on the machine.
The answers of all rounds are compared with ours, and the table says how far they agree.
bench/README.md says what each way does.
"""

import argparse
import importlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import interleaved
from interleaved import ROOT, Run
from tabulate import tabulate

OLD_COMMIT = "dfb0841ab239cd56afda0a125320b83516b24850"
PREPARE = "prepare"  # no way: encodes the rows, and draws an adapter
OURS, OLD, VLLM = "ours", "dfb0841", "vllm"
# What float32 rounds in another order: nats of a whole answer, and a probability.
NLL_TOLERANCE = 1e-3
PROBABILITY_TOLERANCE = 1e-5
ABSENT = ("–", "–", "–")  # figures


@dataclass(frozen=True)
class Way:
    """What the table calls it; the tasks it answers; whether it runs where `--ways` is not given.

    `is_less`: it does not give what the others give, and is compared in time only.
    """

    title: str
    tasks: tuple[str, ...] = ("samsum", "price")
    is_default: bool = True
    is_less: bool = False


WAYS = {
    OURS: Way("ours"),
    "one-by-one": Way("transformers, one row at a time"),
    "one-by-one-merged": Way("one row at a time, adapter merged", is_default=False),
    "batched": Way("transformers, padded batches"),
    "digits": Way("generate, one row at a time: digits only", ("price",), is_less=True),
    OLD: Way("this repository at dfb0841"),
    VLLM: Way("vLLM", ("samsum",), is_default=False),
}


def main() -> None:
    """Print a table of all ways."""
    options = _parser().parse_args()
    if options.one:
        print(json.dumps(_measured(options.one, options)))
        return
    ways = chosen_ways(options.ways, options.task, options.vllm)
    with tempfile.TemporaryDirectory() as folder:
        if OLD in ways:
            _extract(OLD_COMMIT, Path(folder) / OLD)
        arguments = [__file__, *sys.argv[1:], "--folder", folder, "--one"]
        about = interleaved.in_process([*arguments, PREPARE])
        if "failed" in about:
            sys.exit(f"bench/inference.py: {about['failed']}")
        runs = interleaved.in_turns(
            ways,
            options.rounds,
            lambda way: interleaved.in_process([*arguments, way], _source(way, Path(folder))),
            lambda way, turn, run: print(
                f"round {turn}, {way}: {run.get('failed') or _seconds(run)}",
                file=sys.stderr,
                flush=True,
            ),
        )
    print(report(runs, about, options.task))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", default="samsum", choices=["samsum", "price"])
    parser.add_argument("--model", default="models/embedded", help="folder")
    parser.add_argument("--adapter", help="folder; else one of small random weights is drawn")
    parser.add_argument("--data", help="rows in the form of the task's source; else generated")
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=8, help="rows of a padded batch")
    parser.add_argument("--pairs", type=int, default=32, help="of a price's beginnings, at once")
    parser.add_argument("--quantization", default="nf4", choices=["nf4", "none"])
    parser.add_argument("--prompt-tokens", type=int, help="ours: run.eval_token_budget")
    parser.add_argument("--vllm", metavar="PYTHON", help="of an environment that has vLLM")
    parser.add_argument("--ways", nargs="*", choices=list(WAYS))
    parser.add_argument("--one", choices=[PREPARE, *WAYS], help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    return parser


def chosen_ways(named: Sequence[str] | None, task: str, vllm: str | None) -> list[str]:
    """Ours first, then those that are named, or else the default ones of the task."""
    names = named if named is not None else [name for name, way in WAYS.items() if way.is_default]
    wanted = {OURS, *names, *([VLLM] if vllm else [])}
    return [name for name, way in WAYS.items() if name in wanted and task in way.tasks]


def _source(way: str, folder: Path) -> Path:
    return folder / OLD / "src" if way == OLD else ROOT / "src"


def _extract(commit: str, folder: Path) -> None:
    """The sources and parameters of a commit, with which it runs; exits where Git has none."""
    command = ["git", "archive", commit, "src", "params.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True)
    if done.returncode:
        sys.exit(f"bench/inference.py: no commit {commit[:7]} here (a shallow clone?): see --ways")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")


def _seconds(run: Run) -> str:
    return f"{run['seconds']:.2f} s, {run['cpu_seconds']:.2f} s of CPU"


def _measured(way: str, options: argparse.Namespace) -> Run:
    """Answers of one way, and the seconds that they took."""
    module = importlib.import_module(f"inference_{OLD}" if way == OLD else "inference_ways")
    folder = Path(options.folder)
    if way == PREPARE:
        return module.prepare(options, folder)
    inputs = json.loads((folder / "inputs.json").read_text(encoding="utf-8"))
    prompts, references = inputs["prompts"], inputs["references"]
    answer = module.load(way, options, folder)
    started = time.perf_counter()
    answer(prompts[:2], references[:2])  # allocates, and loads kernels
    first_seconds = time.perf_counter() - started
    started, cpu_started = time.perf_counter(), time.process_time()
    answers = answer(prompts, references)
    seconds = time.perf_counter() - started
    return {
        # vLLM loads the model in each call.
        "seconds": seconds - first_seconds if way == VLLM else seconds,
        "cpu_seconds": time.process_time() - cpu_started,
        "answers": answers,
    }


def report(measured: dict[str, list[Run]], about: Run, task: str) -> str:
    """What ran, the table as Markdown, and the rows on which a way does not agree with ours."""
    ours, table, remarks = measured[OURS], [], []
    for name, way in WAYS.items():
        runs = measured.get(name)
        if runs is None:
            reason = "not run" if task in way.tasks else "gives no such answers"
            table.append([way.title, *ABSENT, reason] if name == VLLM else None)
            continue
        failed = next((run["failed"] for run in [*runs, *ours] if "failed" in run), None)
        if failed:
            table.append([way.title, *ABSENT, failed])
            continue
        ratios, cpu_ratios = (
            [run[key] / first[key] for run, first in zip(runs, ours, strict=True)]
            for key in ("seconds", "cpu_seconds")
        )
        said, differences = ("–", []) if name == OURS else ("gives less: no distribution", [])
        if name != OURS and not way.is_less:
            said, differences = agreement(ours[0]["answers"], [run["answers"] for run in runs])
        remarks += [f"{way.title}: {line}" for line in differences]
        rates = [about["rows"] / run["seconds"] for run in runs]
        figures = [interleaved.spread(each) for each in (rates, ratios, cpu_ratios)]
        table.append([way.title, *figures, said])
    headers = ["way", "rows/s", "time, of ours", "CPU time, of ours", "agrees with ours"]
    rows = [row for row in table if row]
    printed = tabulate(rows, headers, tablefmt="github", disable_numparse=True)
    return "\n".join([about["what"], "", printed, *remarks])


def agreement(ours: Sequence[Any], others: Sequence[Sequence[Any]]) -> tuple[str, list[str]]:
    """How far the answers of all rounds agree with ours, and a line for each row that does not.

    An answer is [text, negative log-likelihood], or the probabilities of all prices.
    """
    differences: dict[int, str] = {}
    largest = 0.0
    is_text = isinstance(ours[0][0], str)
    for answers in others:
        for row, (one, other) in enumerate(zip(ours, answers, strict=True)):
            pairs = [(one[1], other[1])] if is_text else zip(one, other, strict=True)
            distance = max(abs(a - b) for a, b in pairs)
            largest = max(largest, distance)
            if is_text and one[0] != other[0]:
                differences[row] = f"row {row}: {other[0]!r:.120}, ours {one[0]!r:.120}"
            elif distance > (NLL_TOLERANCE if is_text else PROBABILITY_TOLERANCE):
                differences[row] = f"row {row}: {distance:.1e} from ours"
    equal = f"{len(ours) - len(differences)} of {len(ours)} rows"
    what = "log-likelihoods" if is_text else "probabilities"
    return f"{equal}; {what} within {largest:.0e}", list(differences.values())


if __name__ == "__main__":
    main()
