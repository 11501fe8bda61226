"""`finetune review NAME`: pull an experiment, and print all that a reviewer asks of it."""

from dataclasses import dataclass
from pathlib import Path

from finetune.comparing import command, runs, ship_command
from finetune.core.errors import UserError
from finetune.reviewing import page, pulling, tables


@dataclass(frozen=True)
class Options:
    """`remote` is a Git remote, or its URL; `style` is `simple` or `github`."""

    against: str = "main"
    remote: str = "origin"
    style: str = "simple"
    named_only: bool = False
    by_cluster: bool = False


def run(root: Path, name: str, options: Options) -> int:
    """Print the review; returns the exit code of `finetune ship`, 2 where the two do not compare.

    Raises:
        UserError: the experiment cannot be had, or one of the two cannot be read.
    """
    style = options.style
    commit, said = pulling.pulled(root, name, options.remote)
    _title(f"Review of {name} ({commit[:12]}) against {options.against}", style)
    print(said)
    before, after = (runs.read(root, each) for each in (options.against, name))
    _heading("Metrics", style)
    print(tables.metrics(before, after, style))
    print(f"\nAll of them: `dvc metrics diff {options.against} {name}`.")
    shared = command.Options(
        style=style, named_only=options.named_only, by_cluster=options.by_cluster
    )
    _heading("Comparison, paired by row", style)
    code = 2
    try:
        command.run(root, [options.against, name], shared)
    except UserError as error:  # such as other rows: its scores and its page are worth a look
        print(f"Not compared: {error}.")
        print(f"\nWith one of the same tasks and rows: `finetune review {name} --against OTHER`.")
    else:
        _heading("Verdict", style)
        try:
            code = ship_command.run(root, name, options.against, shared)
        except UserError as error:
            print(f"No verdict: {error}.")
    _heading("Report", style)
    print(page.saved(root, name))
    print(f"\nWhether its predictions are those of its adapter: `finetune audit {name}`.")
    return code


def _title(text: str, style: str) -> None:
    print(f"# {text}\n" if style == "github" else f"{text}\n{'=' * len(text)}\n")


def _heading(text: str, style: str) -> None:
    print(f"\n## {text}\n" if style == "github" else f"\n{text}\n{'-' * len(text)}\n")
