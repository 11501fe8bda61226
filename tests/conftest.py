"""Tiny models, made on the spot: one like the embedded base, one that splits numbers."""

import contextlib
import functools
import itertools
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from finetune.core.schema import Method, Model, Prompt

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parent.parent
LONGEST = ROOT / "tests/test_pipeline.py"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Of several test processes each computes on one core, and so do the stages that it starts: threads
# of two processes that wait for each other on the same cores take many times as long.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# In the background, or under nohup, these are ignored, also by the stages that tests start.
with contextlib.suppress(ValueError):  # not of the main thread
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores: those that wait for DVC or a killed stage leave theirs idle."""
    if asked := os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return int(asked)
    usable = getattr(os, "sched_getaffinity", None)
    return (len(usable(0)) if usable else os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first: no process then waits for another at the end.

    Of these the longest file is the first, which runs the quick experiment that others share; those
    others come last, as they would wait for it.
    """

    def order(item: pytest.Item) -> int:
        if item.get_closest_marker("slow") is None:
            return 3
        if item.path == LONGEST:
            return 0
        return 2 if "Clone.of_quick(" in _source(item.path) else 1

    items.sort(key=order)


@functools.cache
def _source(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# Of a file, not of the session: while it is open, no test of its process can start an event loop.
@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A Chromium of the machine, without a screen."""
    from playwright.sync_api import sync_playwright

    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        missing = f"no browser: install Chromium (looked for {', '.join(BROWSERS)} on PATH)"
        # A person may go without; a change is not to land unseen.
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser) -> "Iterator[Callable[..., Page]]":
    """Opens an address in a context of its own.

    The page has `requests`, what it asked of the network, and `errors`, what went wrong.
    """
    contexts = []

    def visited(address: str, **context: object) -> "Page":
        contexts.append(browser.new_context(**context))
        page = contexts[-1].new_page()
        page.requests, page.errors = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on(
            "console",
            lambda message: page.errors.append(message.text) if message.type == "error" else None,
        )
        page.goto(address)
        return page

    yield visited
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A random Llama of two layers; chat template, each of 0–999 one token."""
    from synthetic.pretraining import corpus, tokenizer

    texts = itertools.islice(corpus.documents(0), 300)
    return _save(tokenizer.train(texts, vocab_size=1800, context=256), tmp_path_factory)


@pytest.fixture(scope="session")
def digits_model(tmp_path_factory) -> Path:
    """A random Llama whose tokenizer has single bytes only, and no chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=0, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", model_max_length=256
    )
    return _save(fast, tmp_path_factory)


def _save(tokenizer, tmp_path_factory) -> Path:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
        initializer_range=0.2,  # large, so that its outputs differ from row to row
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    folder = tmp_path_factory.mktemp("model")
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def load():
    """Loads a model folder the way the stages do."""
    from finetune.modeling import base

    def loaded(folder: Path, quantization: str = "none") -> base.Base:
        method = Method(
            quantization=quantization, double_quantization=True, compute_dtype="float32"
        )
        model = Model(name=str(folder), source="local", revision=None, watch=str(folder))
        return base.load(model, method)

    return loaded


@pytest.fixture
def methods() -> dict[str, Method]:
    """The methods of conf/method by name, in float32, with a short prefix."""

    def made(tuner: str, quantization: str, **rest: int) -> Method:
        return Method(
            tuner=tuner,
            quantization=quantization,
            double_quantization=quantization == "nf4",
            compute_dtype="float32",
            **rest,
        )

    return {
        "qlora": made("lora", "nf4"),
        "qlora_int8": made("lora", "int8"),
        "lora": made("lora", "none"),
        "prefix": made("prefix", "none", virtual_tokens=3),
        "full": made("full", "none"),
        "regression_head": made("regression_head", "nf4"),
    }


@pytest.fixture
def prompt() -> Prompt:
    """A short prompt of a task."""
    return Prompt(
        instruction="Summarize.", cue="Summary:\n", max_tokens=128, max_completion_tokens=16
    )
