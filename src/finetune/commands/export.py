"""`finetune export`."""

import argparse
from pathlib import Path


def add_options(command: argparse.ArgumentParser) -> None:
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


def run(root: Path, options: argparse.Namespace) -> int:
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
