"""`finetune serve`."""

import argparse
from pathlib import Path

from finetune.core.errors import UserError


def add_options(command: argparse.ArgumentParser) -> None:
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
    command.add_argument(
        "--log",
        metavar="FILE",
        type=Path,
        help="append a line of JSON for each request to a model, without texts; see monitor",
    )
    command.add_argument("--log-text", action="store_true", help="of --log: texts too")
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
        "to metrics/TASK/forms.json; the key comes from FINETUNE_API_KEY",
    )
    command.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("vllm"), help="of --print-vllm: vllm"
    )
    command.add_argument(
        "--by-chat",
        action="store_true",
        help="of --measure: by /v1/chat/completions, as of a vLLM: answers are texts",
    )


def run(root: Path, options: argparse.Namespace) -> int:
    """Serve the tuned models over HTTP: OpenAI's API, typed endpoints, and a page to try them."""
    if options.print_vllm:
        from finetune.serving import vllm  # takes seconds to import (transformers)

        return vllm.run(root, options.tasks, options.adapters, options.out)
    if options.measure:
        from finetune.serving import measure

        return measure.run(root, options.measure, options.tasks, options.by_chat)
    if options.log_text and options.log is None:
        raise UserError("--log-text: needs --log FILE")
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
            log=options.log,
            log_text=options.log_text,
        ),
    )
