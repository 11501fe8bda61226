"""`finetune serve --print-vllm`: the same models behind vLLM, for more than this server answers.

vLLM is given the base, the adapters, and a chat template that gives the ids of our prompts: a
message that begins with a task's instruction is followed by that task's cue. Not run with a real
vLLM: tests hold the ids against those of `predict`, and the smoke test asks the real one for them.
"""

import json
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerBase

from finetune.core import params, paths
from finetune.core.errors import ModelError, UserError, squeezed
from finetune.core.files import read_json, read_jsonl, write_json, write_text
from finetune.core.schema import Model, Params, Prompt
from finetune.inference.engines.vllm_engine import RANKS
from finetune.methods import adapters
from finetune.modeling import base as base_model
from finetune.modeling.prompts import DATE, PromptEncoder, dated
from finetune.serving import models
from finetune.serving.models import Source
from finetune.tasks import registry

IMAGE = "vllm/vllm-openai:v0.33.0"
SMOKE = Path(__file__).with_name("vllm_smoke.py")
TEMPLATE, COMPOSE, COMMAND = "chat_template.jinja", "compose.yaml", "command.sh"
KEY = "VLLM_API_KEY"
PORT = 8000
# Rows of each task that the smoke test asks for.
SMOKE_ROWS = 8
PROBE = "Anna: hello\n\n 12 % of $5, 'quoted' — é 💡"


@dataclass(frozen=True)
class Places:
    """Where vLLM finds what it is given: on this machine, or in a container."""

    base: str
    adapters: Mapping[str, str]
    template: str


def run(root: Path, tasks: Sequence[str], further: Sequence[str], out: Path) -> int:
    """Write command, compose file, chat template and smoke test, and print the command."""
    settings = params.read(root / "params.yaml")
    sources = models.sources(root, settings, tasks, further)
    rank = max(_rank(source.folder) for source in sources)
    tokenizer, context = _tokenizer(settings.model)
    prompts = {source.name: settings.tasks[source.task].prompt for source in sources}
    template = chat_template(tokenizer, prompts.values())
    for source in sources:
        encoder = PromptEncoder(tokenizer, prompts[source.name], context)
        check_ids(encoder, template, [PROBE])
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / TEMPLATE, template)
    here = Places(
        settings.model.name,
        {source.name: str(source.folder) for source in sources},
        str(out / TEMPLATE),
    )
    arguments = vllm_arguments(settings, here, rank, context)
    command = "vllm serve " + " \\\n    ".join(arguments)
    write_text(out / COMMAND, f"#!/bin/sh\n# {KEY} in the environment is the key.\n{command}\n")
    write_text(out / COMPOSE, compose(root, settings, sources, rank, context))
    shutil.copyfile(SMOKE, out / "smoke.py")
    write_json(out / "smoke.json", smoke_rows(root, settings, sources, tokenizer, context))
    print(command)
    print()
    for line in _remarks(settings, out):
        print(f"# {line}")
    return 0


def _remarks(settings: Params, out: Path) -> Iterable[str]:
    yield f"{out}/{COMMAND} holds this command, {out}/{COMPOSE} the same for Docker."
    yield f"When it runs: {KEY}=… python {out}/smoke.py http://localhost:{PORT}"
    yield "It was not run here: what vLLM answers is not yet measured."
    if settings.method.is_quantized:
        yield (
            f"The adapters were trained on a base in {settings.method.quantization}, and vLLM "
            "serves them on the 16-bit base: other answers than those that were measured."
        )


def vllm_arguments(settings: Params, places: Places, rank: int, context: int) -> list[str]:
    """The arguments of `vllm serve`, quoted for a shell, an option and its values in each."""
    model, dtype = settings.model, settings.method.compute_dtype
    modules = [f"{name}={place}" for name, place in places.adapters.items()]
    options: list[list[str]] = [
        [places.base],
        *([["--revision", str(model.revision)]] if model.source == "hub" else []),
        ["--enable-lora"],
        ["--lora-modules", *modules],
        ["--max-lora-rank", str(rank)],
        ["--max-loras", str(len(modules))],
        ["--max-model-len", str(context)],
        # As training on a GPU computes by itself, where it can.
        ["--dtype", "bfloat16" if dtype == "auto" else dtype],
        ["--chat-template", places.template],
        ["--chat-template-content-format", "string"],
        # No sampling settings of the base: a request says its own.
        ["--generation-config", "vllm"],
        ["--port", str(PORT)],
    ]
    return [shlex.join(option) for option in options]


def compose(
    root: Path, settings: Params, sources: Sequence[Source], rank: int, context: int
) -> str:
    """A compose file for one GPU; the key comes from the environment, and must be there."""
    is_hub = settings.model.source == "hub"
    inside = Places(
        settings.model.name if is_hub else "/models/base",
        {source.name: f"/models/adapters/{source.name}" for source in sources},
        f"/models/{TEMPLATE}",
    )
    arguments = vllm_arguments(settings, inside, rank, context)
    mounted = {Path(TEMPLATE): inside.template} if is_hub else {
        (root / settings.model.name).resolve(): inside.base, Path(TEMPLATE): inside.template,
    }  # fmt: skip
    mounted |= {source.folder.resolve(): inside.adapters[source.name] for source in sources}
    volumes = [
        f"{place if place.is_absolute() else f'./{place}'}:{target}:ro"
        for place, target in mounted.items()
    ]
    environment = {KEY: f"${{{KEY}:?the key that clients send}}"}
    if is_hub:
        environment["HF_TOKEN"] = "${HF_TOKEN:-}"
        volumes.append("hub:/root/.cache/huggingface")
    gpu = {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    service = {
        "image": IMAGE,
        # A `$` is Compose's own sign.
        "command": [
            word.replace("$", "$$") for option in arguments for word in shlex.split(option)
        ],
        "environment": environment,
        "volumes": volumes,
        "ports": [f"127.0.0.1:{PORT}:{PORT}"],
        "ipc": "host",
        "restart": "unless-stopped",
        "stop_grace_period": "60s",
        "deploy": {"resources": {"reservations": {"devices": [gpu]}}},
        "healthcheck": {
            "test": ["CMD", "curl", "-f", f"http://localhost:{PORT}/health"],
            "interval": "10s",
            "start_period": "300s",
        },
    }
    content: dict[str, Any] = {"services": {"vllm": service}}
    if is_hub:
        content["volumes"] = {"hub": {}}
    head = f"# docker compose up: set {KEY} first. Not run here.\n"
    return head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def chat_template(tokenizer: PreTrainedTokenizerBase, prompts: Iterable[Prompt]) -> str:
    """The base's chat template, with the cue of the task whose instruction begins the question.

    What our encoder gives the template beside messages is set in it. Without a template the
    question stands alone, as our encoder has it.

    Raises:
        UserError: two tasks have the same instruction and different cues.
    """
    cues: dict[str, str] = {}
    for prompt in prompts:
        if cues.setdefault(prompt.instruction, prompt.cue) != prompt.cue:
            raise UserError(
                f"the instruction {prompt.instruction!r:.60} belongs to tasks of two cues: vLLM "
                "could not tell them apart; serve them apart (finetune serve TASK --print-vllm)"
            )
    if tokenizer.chat_template is None:
        start = "{{ bos_token }}" if _adds_start(tokenizer) else ""
        template = start + "{{ messages[-1]['content'] }}{{ '\\n\\n' }}"
    else:
        # Of the newline at its end Jinja makes nothing, but only where it is the template's end.
        template = dated(tokenizer.get_chat_template()).removesuffix("\n")
    settings = f'{{% set date_string = "{DATE}" %}}{{% set enable_thinking = false %}}'
    # The longest first: one instruction may begin with another one.
    tests = [
        f"if messages[-1]['content'].startswith({_literal(instruction)}) %}}"
        f"{{{{ {_literal(cues[instruction])} }}}}"
        for instruction in sorted(cues, key=len, reverse=True)
    ]
    branches = "{% " + "{% el".join(tests) + "{% endif %}"
    return f"{settings}{template}{{% if add_generation_prompt %}}{branches}{{% endif %}}"


def _adds_start(tokenizer: PreTrainedTokenizerBase) -> bool:
    return tokenizer.bos_token_id in tokenizer("")["input_ids"][:1]


def _literal(text: str) -> str:
    """A text as a string of Jinja."""
    return json.dumps(text, ensure_ascii=False)


def messages(encoder: PromptEncoder, body: str) -> list[dict[str, str]]:
    """What a client sends for a text."""
    return [{"role": "user", "content": f"{encoder.prompt.instruction}\n\n{body}"}]


def served_ids(encoder: PromptEncoder, template: str, body: str) -> list[int]:
    """The ids that vLLM makes of a text: the rendered template, without further special tokens."""
    tokenizer = encoder.tokenizer
    text = tokenizer.apply_chat_template(
        messages(encoder, body),
        chat_template=template,
        tokenize=False,
        add_generation_prompt=True,
    )
    ids: list[int] = tokenizer(text, verbose=False, add_special_tokens=False)["input_ids"]
    return ids


def check_ids(encoder: PromptEncoder, template: str, bodies: Iterable[str]) -> None:
    """See that the template gives the ids of our prompts.

    Raises:
        ModelError: it does not.
    """
    for body in bodies:
        ours, theirs = encoder.encode(body).ids, served_ids(encoder, template, body)
        if ours != theirs:
            raise ModelError(
                "model.name: the chat template that was made for vLLM does not give this model's "
                f"prompts ({len(theirs)} tokens, not {len(ours)}): serve it with `finetune serve`"
            )


def smoke_rows(
    root: Path,
    settings: Params,
    sources: Sequence[Source],
    tokenizer: PreTrainedTokenizerBase,
    context: int,
) -> list[dict[str, Any]]:
    """Requests with the ids of their prompts, and our own answers where these are texts.

    They are the first test rows of a task, where it was run; else one text of ours.
    """
    rows = []
    for source in sources:
        options = settings.tasks[source.task]
        encoder = PromptEncoder(tokenizer, options.prompt, context)
        bodies, answers = [PROBE], [None]
        file = root / paths.prepared(source.task) / "test.jsonl"
        if file.is_file():
            kind = registry.rows(options.kind)
            read = [kind.Row(**row) for row in read_jsonl(file)[:SMOKE_ROWS]]
            bodies, answers = [row.input for row in read], [None] * len(read)
        predicted = root / paths.predictions(source.task, "tuned")
        if file.is_file() and predicted.is_file() and source.name == source.task:
            answers = [row["prediction"] for row in read_jsonl(predicted)[: len(bodies)]]
        for body, answer in zip(bodies, answers, strict=True):
            encoded = encoder.encode(body)
            if encoded.truncated:  # vLLM truncates nothing
                continue
            rows.append({
                "model": source.name,
                "messages": messages(encoder, body),
                "ids": encoded.ids,
                "max_tokens": options.prompt.max_completion_tokens,
                "answer": answer if isinstance(answer, str) else None,
            })  # fmt: skip
    return rows


def _tokenizer(options: Model) -> tuple[PreTrainedTokenizerBase, int]:
    """The base's tokenizer, and its context in tokens.

    Raises:
        ModelError: it cannot be loaded.
    """
    if options.source == "local":
        base_model.check_folder(Path(options.name))
    pin = {"revision": options.revision} if options.source == "hub" else {}
    try:
        tokenizer = AutoTokenizer.from_pretrained(options.name, trust_remote_code=False, **pin)
        config = AutoConfig.from_pretrained(options.name, trust_remote_code=False, **pin)
    except base_model.LOADING_ERRORS as error:
        raise ModelError(
            f"model.name: {options.name} cannot be loaded: {squeezed(error)}"
        ) from error
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    return tokenizer, positions or tokenizer.model_max_length


def _rank(folder: Path) -> int:
    """The rank that vLLM must reserve memory for.

    Raises:
        UserError: vLLM does not take what the folder holds.
    """
    file = folder / adapters.CONFIG
    if not file.is_file():
        raise UserError(
            f"{folder}: holds no adapter ({adapters.CONFIG}); `dvc repro` trains one. A whole "
            f"model is served by `vllm serve {folder}`"
        )
    config = read_json(file)
    rank = config.get("r", 0)
    fitting = [each for each in RANKS if each >= rank]
    if not models.shares_base(folder) or config.get("use_dora") or not (rank and fitting):
        raise UserError(
            f"{folder}: vLLM takes plain LoRA adapters of rank {RANKS[-1]} at most: no DoRA, no "
            "trained biases or heads, nor a start that changes the base (lora.init)"
        )
    return fitting[0]
