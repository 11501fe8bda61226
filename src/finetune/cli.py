"""`finetune …`: the commands that are used outside the pipeline."""

import argparse
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import get_args

from finetune import kinds_table, pinning
from finetune.checks import kinds, lockfile, parameters, readme, shelf, stages
from finetune.comparing import runs
from finetune.composition import compose
from finetune.core import killed, params
from finetune.core.errors import UserError, one_line
from finetune.core.files import read_text, write_text
from finetune.core.schema import EngineName
from finetune.reporting import tables
from finetune.tasks import registry

CHECKS: dict[str, Callable[[Path], list[str]]] = {
    "params.yaml is the composition of conf/, and every config file composes": parameters.problems,
    "stages declare what their code imports and reads": stages.problems,
    "nothing outside a kind's folder asks for its name": kinds.problems,
    "dvc.lock and metrics/ belong to this code and these parameters": lockfile.problems,
    "README.md shows the metrics of metrics/": readme.problems,
    "results/README.md shows what is shelved, without text of the data": shelf.problems,
}


def main() -> None:
    """The command line; errors that a user can fix give one line and exit code 2."""
    options = parser().parse_args()
    # Deprecations between libraries with pinned versions: a user cannot act on them.
    warnings.filterwarnings("ignore", category=FutureWarning)
    with one_line("finetune"):
        for line in killed.messages():
            print(f"finetune: {line}", file=sys.stderr)
        try:
            if not Path("dvc.yaml").is_file():
                raise UserError(f"{Path.cwd()}: no dvc.yaml here; run it in the repository's root")
            code = options.run(Path(), options)
            sys.stdout.flush()
            sys.exit(code)
        except BrokenPipeError:
            # `finetune show | head`: a closed pipe is not an error.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)


def parser() -> argparse.ArgumentParser:
    """The commands and their options; what runs a command is in its `run`."""
    parser = argparse.ArgumentParser(prog="finetune", description="Commands beside the pipeline.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run in (
        ("params", _params),
        ("check", _check),
        ("show", _show),
        ("kinds", _kinds),
        ("readme", _readme),
        ("checkpoints", _checkpoints),
        ("engines", _engines),
        ("compare", _compare),
        ("seeds", _seeds),
        ("rank", _rank),
        ("ship", _ship),
        ("shelve", _shelve),
        ("shelf", _shelf),
        ("pin", _pin),
        ("import-gguf", _import_gguf),
        ("export", _export),
        ("publish", _publish),
        ("predict", _predict),
        ("init", _init),
        ("serve", _serve),
        ("plan", _plan),
        ("preflight", _preflight),
        ("doctor", _doctor),
    ):
        summary = (run.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(name, help=summary, description=run.__doc__)
        command.set_defaults(run=run)
        if run is _checkpoints:
            _add_checkpoints_options(command)
        if run is _engines:
            _add_engines_options(command)
        if run is _compare:
            _add_compare_options(command)
        if run is _rank:
            _add_rank_options(command)
        if run is _ship:
            _add_ship_options(command)
        if run is _shelve:
            _add_shelve_options(command)
        if run is _seeds:
            _add_seeds_options(command)
        if run is _pin:
            command.add_argument("what", nargs="+", metavar="model=NAME|data=TASK")
        if run is _import_gguf:
            command.add_argument("file", metavar="FILE", type=Path, help="a GGUF file of a Llama")
            command.add_argument("folder", metavar="DIR", type=Path, help="the new model folder")
        if run is _export:
            _add_export_options(command)
        if run is _publish:
            _add_publish_options(command)
        if run is _predict:
            _add_predict_options(command)
        if run is _init:
            _add_init_options(command)
        if run in (_plan, _preflight):
            _add_override_option(command)
        if run is _doctor:
            _add_doctor_options(command)
        if run is _serve:
            _add_serve_options(command)
        if run is _plan:
            command.add_argument("--gpu", metavar="NAME", help="plan for this GPU, such as h100")
    return parser


def _params(root: Path, _: argparse.Namespace) -> int:
    """Compose conf/ into params.yaml, and print each key that changes."""
    text = compose(root, [])
    params.validate_text(text, "conf")
    for line in parameters.differences(root):
        print(line)
    write_text(root / "params.yaml", text)
    return 0


def _check(root: Path, _: argparse.Namespace) -> int:
    """Check that params.yaml, dvc.yaml, dvc.lock and README.md are consistent; exit 1 if not."""
    failed = False
    for title, check in CHECKS.items():
        problems = check(root)
        failed |= bool(problems)
        print(f"{'FAIL' if problems else 'ok  '} {title}")
        for line in problems:
            print(f"     {line}")
    return int(failed)


def _show(root: Path, _: argparse.Namespace) -> int:
    """Print the results of the last run as a table for each task."""
    settings = params.read(root / "params.yaml")
    confidence = f"{100 * settings.bootstrap.confidence:g} %"
    for task, options in settings.tasks.items():
        metrics = tables.read_complete(root / "metrics", task)
        print(f"\n{task}: scores on the test rows, with {confidence} intervals\n")
        declared = registry.metrics(options.kind, options.primary, options.prompt)
        remarks = tables.remarks(metrics, declared, registry.report(options.kind).REPORT)
        print(tables.results(metrics, declared))
        print("\n" + "\n\n".join(remarks))
    try:
        runs.check(root)
    except UserError as error:
        print(f"\nWarning: {error}")
    return 0


def _kinds(_: Path, __: argparse.Namespace) -> int:
    """List the kinds of task with their fields, metrics and baselines."""
    print("\n\n".join(kinds_table.table(kind) for kind in registry.names()))
    return 0


def _readme(root: Path, _: argparse.Namespace) -> int:
    """Write the results of metrics/ to README.md: models, and the best baseline by validation."""
    file = root / "README.md"
    write_text(file, readme.with_results(read_text(file), root))
    return 0


def _pin(root: Path, options: argparse.Namespace) -> int:
    """Write the hub's current commits of models and data sets to conf/."""
    for what in options.what:
        print(pinning.pin(root, what), flush=True)
    if parameters.differences(root):
        print("params.yaml still has the old commit: update it with `finetune params`")
    return 0


def _add_checkpoints_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("task", metavar="TASK")
    command.add_argument(
        "--split",
        choices=["validation", "train"],
        default="validation",
        help="rows to score (default: validation); test rows are no means of choosing",
    )
    _add_style_options(command)


def _checkpoints(root: Path, options: argparse.Namespace) -> int:
    """Score the adapters that train.keep_checkpoints kept of a task's evaluations."""
    from finetune import checkpoints  # takes seconds to import (torch)

    return checkpoints.run(root, options.task, options.split, _style(options))


def _add_engines_options(command: argparse.ArgumentParser) -> None:
    _, *others = get_args(EngineName)
    command.add_argument("task", metavar="TASK")
    command.add_argument(
        "--rows", metavar="N", type=int, default=64, help="so many test rows (default: 64)"
    )
    command.add_argument(
        "--against", choices=others, default=others[0], help=f"default: {others[0]}"
    )
    _add_style_options(command)


def _engines(root: Path, options: argparse.Namespace) -> int:
    """Answer test rows with our engine and another, and test the paired difference of scores."""
    from finetune import engines  # takes seconds to import (torch)

    return engines.run(root, options.task, options.against, options.rows, _style(options))


def _add_compare_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "reference", metavar="A", help="commit, branch, tag, experiment or results/NAME"
    )
    command.add_argument(
        "others", metavar="B", nargs="*", help="what is compared with A (default: the workspace)"
    )
    command.add_argument(
        "--fail-if",
        choices=["worse"],
        help="exit with 1 if a score is worse, or a task of A is missing; for CI",
    )
    command.add_argument(
        "--over",
        metavar="PARAM",
        help="take this parameter for noise instead of the seed of training",
    )
    command.add_argument(
        "--validation", action="store_true", help="compare validation rows: no look at test"
    )
    _add_shared_options(command)


def _add_style_options(command: argparse.ArgumentParser) -> None:
    styles = command.add_mutually_exclusive_group()
    styles.add_argument("--json", action="store_true", help="print JSON")
    styles.add_argument("--markdown", action="store_true", help="print Markdown")


def _add_shared_options(command: argparse.ArgumentParser) -> None:
    _add_style_options(command)
    command.add_argument(
        "--named-only",
        action="store_true",
        help="leave out further seeds of these configurations among the experiments",
    )
    command.add_argument(
        "--by-cluster", action="store_true", help="count near-duplicates among the test rows as one"
    )


def _style(options: argparse.Namespace) -> str:
    return "json" if options.json else "github" if options.markdown else "simple"


def _compare(root: Path, options: argparse.Namespace) -> int:
    """Test whether revisions or experiments are better than A, paired by row, over all seeds."""
    # Imported here: it takes seconds (SciPy, DVC), and other commands do not need it.
    from finetune.comparing import command

    return command.run(
        root,
        [options.reference, *options.others],
        command.Options(
            style=_style(options),
            over=options.over,
            split="validation" if options.validation else "test",
            fail_if_worse=options.fail_if == "worse",
            named_only=options.named_only,
            by_cluster=options.by_cluster,
        ),
    )


def _add_rank_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "experiments",
        metavar="EXPERIMENT",
        nargs="*",
        help="experiments, or results/NAME (default: all experiments)",
    )
    command.add_argument("--shelf", action="store_true", help="rank the shelved runs")
    command.add_argument("--task", metavar="TASK", help="rank by this task alone")
    command.add_argument(
        "--reveal",
        action="store_true",
        help="look at the best one's test rows, and write that down in metrics/looks.json",
    )
    _add_style_options(command)


def _rank(root: Path, options: argparse.Namespace) -> int:
    """Rank experiments by their validation scores: ties, costs, what sets them apart."""
    from finetune.comparing import rank_command

    return rank_command.run(
        root,
        options.experiments,
        rank_command.Options(
            style=_style(options), task=options.task, reveal=options.reveal, shelf=options.shelf
        ),
    )


def _add_ship_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "revision", metavar="REV", help="commit, branch, tag, experiment or results/NAME"
    )
    command.add_argument("--against", metavar="MAIN", default="main", help="default: main")
    _add_shared_options(command)


def _ship(root: Path, options: argparse.Namespace) -> int:
    """One verdict for a pull request: exit code 0 is SHIP, 1 DON'T SHIP, 3 INCONCLUSIVE."""
    from finetune.comparing import command, ship_command

    shared = command.Options(
        style=_style(options), named_only=options.named_only, by_cluster=options.by_cluster
    )
    return ship_command.run(root, options.revision, options.against, shared)


def _add_shelve_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="NAME", help="the new folder's name below results/")
    command.add_argument(
        "--rev",
        metavar="REV",
        default=runs.WORKSPACE,
        help="commit, branch, tag or experiment (default: the workspace)",
    )
    command.add_argument("--note", metavar="TEXT", help="a remark, for about.json")
    command.add_argument("--force", action="store_true", help="replace what has this name")


def _shelve(root: Path, options: argparse.Namespace) -> int:
    """Put a run's parameters, metrics and scores by row into results/, without text of its data."""
    from finetune.shelf import command

    return command.shelve(root, options.name, options.rev, options.note, options.force)


def _shelf(root: Path, _: argparse.Namespace) -> int:
    """Write results/README.md: what is shelved, and what of it can be told apart."""
    from finetune.shelf import command

    return command.write_page(root)


def _add_seeds_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("revision", metavar="REV", help="HEAD, its branch, or an experiment of it")
    command.add_argument(
        "--n", metavar="N", type=int, default=5, help="seeds in all, its own included (default: 5)"
    )


def _seeds(root: Path, options: argparse.Namespace) -> int:
    """Queue runs of a configuration with further seeds of training."""
    from finetune.comparing import seeds

    return seeds.run(root, options.revision, options.n)


def _import_gguf(_: Path, options: argparse.Namespace) -> int:
    """Convert the GGUF file of a Llama to a folder in Hugging Face format."""
    from finetune.importing import gguf  # takes seconds to import (transformers)

    gguf.convert(options.file, options.folder)
    print(f"{options.folder}: dvc exp run -S model=local -S model.name={options.folder}")
    return 0


def _add_export_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("task", metavar="TASK")
    # Not asked of `exporting.forms`, which takes seconds to import (torch).
    command.add_argument(
        "--form", choices=["adapter", "merged", "int8", "int4", "gguf"], required=True
    )
    command.add_argument("--out", metavar="DIR", type=Path, required=True, help="the new folder")
    command.add_argument(
        "--into",
        choices=["original", "dequantized"],
        help="the base as published, or as it was quantized while training (default: that one, but "
        "for --form adapter; --form merged scores both)",
    )
    command.add_argument(
        "--rows", metavar="N", type=int, help="score so many test rows (default: all)"
    )
    command.add_argument(
        "--gguf-type", choices=["f16", "bf16", "f32", "q8_0"], default="f16", help="default: f16"
    )
    command.add_argument(
        "--llama-cpp",
        metavar="DIR",
        type=Path,
        default=Path(".llama.cpp"),
        help="llama.cpp's sources, with its converter (default: .llama.cpp)",
    )
    command.add_argument("--markdown", action="store_true", help="print Markdown")


def _export(root: Path, options: argparse.Namespace) -> int:
    """Write a tuned model in a form that other programs load, and score it like the adapter."""
    from finetune.exporting import command  # takes seconds to import (torch)

    return command.run(
        root,
        options.task,
        command.Options(
            form=options.form,
            out=options.out,
            into=options.into,
            rows=options.rows,
            llama_cpp=options.llama_cpp,
            gguf_type=options.gguf_type,
            style="github" if options.markdown else "simple",
        ),
    )


def _add_publish_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("task", metavar="TASK")
    command.add_argument("--repo", metavar="OWNER/NAME", required=True)
    command.add_argument(
        "--export", metavar="DIR", type=Path, help="publish this export, not the adapter as trained"
    )
    command.add_argument(
        "--base-model", metavar="OWNER/NAME", help="the repository of a base that is a folder here"
    )
    command.add_argument("--public", action="store_true", help="default: a private repository")
    command.add_argument(
        "--i-have-the-right",
        action="store_true",
        help="publish although the data's licence does not plainly allow it",
    )
    command.add_argument(
        "--print", action="store_true", help="print the model card, and upload nothing"
    )


def _publish(root: Path, options: argparse.Namespace) -> int:
    """Put an adapter or an export on the hub, with a card made from the metrics."""
    from finetune.publishing import command  # takes seconds to import (torch)

    return command.run(
        root,
        options.task,
        command.Options(
            repo=options.repo,
            export=options.export,
            base_model=options.base_model,
            is_public=options.public,
            has_right=options.i_have_the_right,
            is_dry=options.print,
        ),
    )


def _add_predict_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("task", metavar="TASK")
    command.add_argument(
        "file", metavar="FILE", type=Path, help="CSV, JSON, JSON lines or Parquet; answers optional"
    )
    command.add_argument(
        "--adapter",
        metavar="OWNER/NAME@REVISION",
        help="one that was published on the hub (default: the task's own)",
    )
    command.add_argument(
        "--out", metavar="OUT", type=Path, help="the new JSON lines file (default: print them)"
    )


def _predict(root: Path, options: argparse.Namespace) -> int:
    """Answer the rows of a file with a tuned model, this repository's or one on the hub."""
    from finetune.predicting import command  # takes seconds to import (torch)

    return command.run(root, options.task, options.file, options.adapter, options.out)


def _add_init_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "file",
        metavar="FILE",
        type=Path,
        help="CSV, JSON, JSON lines or Parquet; or a folder with such files called train.*, "
        "val.* (optional) and test.*",
    )
    command.add_argument(
        "--task", metavar="NAME", help="name of the task (default: that of the file)"
    )
    command.add_argument("--kind", choices=registry.names_with_init())
    command.add_argument("--input", metavar="COL", help="column that the model reads")
    command.add_argument(
        "--target",
        metavar="COL",
        action="append",
        default=[],
        help="column that it should write; may be repeated for further references of a summary",
    )
    command.add_argument("--id", metavar="COL", help="column of unique ids")
    command.add_argument("--yes", action="store_true", help="take the best guess, do not ask")
    command.add_argument("--force", action="store_true", help="overwrite the task's config")


def _add_serve_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("tasks", metavar="TASK", nargs="*", help="these only (default: all)")
    command.add_argument(
        "--adapter",
        dest="adapters",
        metavar="NAME=TASK:DIR",
        action="append",
        default=[],
        help="serve a further adapter of a task under this name; may be repeated",
    )
    command.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, this machine")
    command.add_argument("--port", type=int, default=8000, help="default: 8000; 0 is any free one")
    keys = command.add_mutually_exclusive_group()
    keys.add_argument(
        "--keys", metavar="FILE", type=Path, help="hashes of API keys (default: serving_keys.json)"
    )
    keys.add_argument("--no-keys", action="store_true", help="let everybody ask who reaches it")
    command.add_argument("--max-batch", metavar="N", type=int, help="requests answered together")
    command.add_argument("--max-queue", metavar="N", type=int, help="requests that may wait")
    command.add_argument("--max-wait", metavar="SECONDS", type=float, help="in the queue")
    command.add_argument("--max-body", metavar="BYTES", type=int, help="of a request")
    command.add_argument("--max-new-tokens", metavar="N", type=int, help="of a request")
    instead = command.add_mutually_exclusive_group()
    instead.add_argument("--new-key", metavar="NAME", help="make an API key, print it, and end")
    instead.add_argument(
        "--print-vllm",
        action="store_true",
        help="print vLLM's command instead, and write it, a compose file, the chat template and a "
        "smoke test to --out",
    )
    instead.add_argument(
        "--measure",
        metavar="URL",
        help="ask a running server all test rows, and write how its scores differ from predict's "
        "to metrics/TASK/served.json; the key comes from FINETUNE_API_KEY",
    )
    command.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("vllm"), help="of --print-vllm: vllm"
    )
    command.add_argument(
        "--by-chat",
        action="store_true",
        help="of --measure: by /v1/chat/completions, as of a vLLM, where answers are texts",
    )


def _serve(root: Path, options: argparse.Namespace) -> int:
    """Serve the tuned models over HTTP: OpenAI's API, typed endpoints, and a page to try them."""
    if options.print_vllm:
        from finetune.serving import vllm  # takes seconds to import (transformers)

        return vllm.run(root, options.tasks, options.adapters, options.out)
    if options.measure:
        from finetune.serving import measure

        return measure.run(root, options.measure, options.tasks, options.by_chat)
    try:
        from finetune.serving import command  # takes seconds to import (torch)
    except ModuleNotFoundError as error:
        raise UserError(f"{error}; `pip install -r requirements-serve.txt`") from error
    if options.new_key is not None:
        return command.new_key(root, options.keys, options.new_key)
    return command.run(
        root,
        command.Options(
            host=options.host,
            port=options.port,
            tasks=options.tasks,
            adapters=options.adapters,
            keys=options.keys,
            no_keys=options.no_keys,
            limits=command.limits(
                batch=options.max_batch,
                queue=options.max_queue,
                wait=options.max_wait,
                body_bytes=options.max_body,
                new_tokens=options.max_new_tokens,
            ),
        ),
    )


def _add_override_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-S",
        dest="overrides",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="as for `dvc exp run`; may be repeated",
    )


def _plan(root: Path, options: argparse.Namespace) -> int:
    """Print memory, steps, time and cost of a run in advance; exit 1 if it exceeds the memory."""
    from finetune.planning import command  # takes seconds to import

    return command.run(root, options.overrides, options.gpu)


def _preflight(root: Path, options: argparse.Namespace) -> int:
    """Check machine, packages, accounts, memory and disk before a run; exit 1 on a failure."""
    from finetune.preflight import command  # takes seconds to import

    return command.run(root, options.overrides)


def _add_doctor_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--fix", action="store_true", help="mend it")
    command.add_argument(
        "--days",
        metavar="N",
        type=float,
        help="with --fix, also remove run states that were not written to for so long (default: "
        "keep and list them all)",
    )


def _doctor(root: Path, options: argparse.Namespace) -> int:
    """Say what a hard kill left behind, and the commands that mend it; exit 1 if any is left."""
    from finetune.doctor import command

    return command.run(root, options.fix, options.days)


def _init(root: Path, options: argparse.Namespace) -> int:
    """Write a task's config for your own file, check the file, and print the command to run."""
    from finetune.scaffold import command
    from finetune.scaffold.guessing import ColumnOptions

    columns = ColumnOptions(options.kind, options.input, options.target, options.id)
    return command.run(
        root,
        options.file,
        command.Options(options.task, columns, options.yes, options.force),
    )


if __name__ == "__main__":
    main()
