"""`finetune show`."""

import argparse
from pathlib import Path

from finetune.comparing import runs
from finetune.core import params
from finetune.core.errors import UserError
from finetune.forms import records
from finetune.reporting import tables
from finetune.tasks import registry


def run(root: Path, _: argparse.Namespace) -> int:
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
        if forms := records.read(root, task):
            print(f"\n{task}: its forms, with the paired difference to the adapter\n")
            print(records.table(declared, forms, settings.bootstrap.confidence, "simple"))
            if stale := records.stale(root, task):
                print(f"\nWarning: {stale}")
    try:
        runs.check(root)
    except UserError as error:
        print(f"\nWarning: {error}")
    return 0
