"""Two adapters on a tiny base, and a server of them in this process, on a free port."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import torch

from finetune.core import params
from finetune.core.schema import Lora, Method, Model, Params, Task
from finetune.methods import lora
from finetune.modeling import base as base_model
from finetune.serving import app, models
from finetune.serving.answering import Answering
from finetune.serving.batching import Batcher, Compute
from finetune.serving.command import web_server
from finetune.serving.keys import Keys
from finetune.serving.limits import Limits
from finetune.serving.log import RequestLog
from finetune.serving.metrics import Metrics
from finetune.serving.models import Served, Source
from finetune.serving.server import Server

ROOT = Path(__file__).parents[2]
MOST_TOKENS = 16
METHOD = Method(
    tuner="lora", quantization="none", double_quantization=False, compute_dtype="float32"
)


@pytest.fixture(scope="session")
def settings(tiny_model) -> Params:
    """The repository's parameters, with the tiny model for a base."""
    read = params.read(ROOT / "params.yaml")
    model = Model(name=str(tiny_model), source="local", revision=None, watch=str(tiny_model))
    tasks = {name: shortened(task) for name, task in read.tasks.items()}
    return read.model_copy(update={"model": model, "method": METHOD, "tasks": tasks})


def shortened(task: Task) -> Task:
    """A task whose answers end early: the tiny model ends few by itself."""
    tokens = min(task.prompt.max_completion_tokens, MOST_TOKENS)
    prompt = task.prompt.model_copy(update={"max_completion_tokens": tokens})
    return task.model_copy(update={"prompt": prompt})


@pytest.fixture(scope="session")
def adapters(settings, tmp_path_factory) -> dict[str, Path]:
    """The folder of a random adapter for each task, far from doing nothing."""
    folders = {}
    for seed, task in enumerate(settings.tasks):
        base = base_model.load(settings.model, METHOD)
        torch.manual_seed(seed)
        attached = lora.attach(base.model, Lora(**{**settings.lora.model_dump(), "r": 4}))
        for name, weight in attached.named_parameters():
            if "lora_B" in name:
                weight.data.normal_(std=0.05)
        folders[task] = tmp_path_factory.mktemp(task)
        lora.save(attached, folders[task])
    return folders


@pytest.fixture(scope="session")
def sources(adapters) -> list[Source]:
    return [Source(task, task, folder) for task, folder in adapters.items()]


@pytest.fixture(scope="session")
def loaded(settings, sources) -> dict[str, Served]:
    return models.load(settings, sources)


@pytest.fixture(scope="session")
def answering(loaded) -> Answering:
    """One for all servers of these models: what is attached to the base is known to one alone."""
    return Answering(loaded)


@dataclass
class Running:
    """A server under test."""

    port: int
    batcher: Batcher
    client: httpx2.Client

    def post(self, path: str, body: object, **more: object) -> httpx2.Response:
        return self.client.post(path, json=body, **more)

    def metric(self, line: str) -> float:
        """The value of a line of /metrics, 0 where there is none."""
        for each in self.client.get("/metrics").text.splitlines():
            if each.startswith(f"{line} "):
                return float(each.rpartition(" ")[2])
        return 0.0

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


@contextlib.contextmanager
def running(
    models: Mapping[str, Served],
    compute: Compute,
    keys: Keys | None = None,
    limits: Limits | None = None,
    any_host: bool = False,
    request_log: RequestLog | None = None,
) -> Iterator[Running]:
    """A server on a free port."""
    limits, metrics = limits or Limits(stop=5), Metrics()
    batcher = Batcher(compute, limits, metrics)
    batcher.start()
    of_models = Server(models, batcher, limits, metrics)
    application = app.create(of_models, keys, any_host, request_log)
    server = web_server(application, limits)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield Running(port, batcher, client)
        server.should_exit = True
        thread.join(10)
        batcher.stop(5)


@pytest.fixture(scope="session")
def server(loaded, answering) -> Iterator[Running]:
    """A server of the two adapters, without keys."""
    with running(loaded, answering) as started:
        yield started


@pytest.fixture
def start(loaded, answering) -> Iterator[Callable[..., Running]]:
    """Starts a server with keys, limits, other models or another computation; see `running`."""
    with contextlib.ExitStack() as stack:
        yield lambda models=loaded, compute=answering, **more: stack.enter_context(
            running(models, compute, **more)
        )
