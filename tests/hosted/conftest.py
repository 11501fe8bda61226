"""A provider on this machine, and the parameters that lead to it."""

from collections.abc import Iterator

import pytest
from fake_provider import Provider, provided
from hosted_run import VARIABLE

from finetune.core.schema import Api, HostedRun
from finetune.hosted.client import Client


@pytest.fixture
def provider(monkeypatch) -> Iterator[Provider]:
    """A provider; its address is `provider.url`, and the environment holds its key."""
    with provided(monkeypatch, VARIABLE) as made:
        yield made


@pytest.fixture
def options() -> HostedRun:
    return HostedRun(concurrency=4, timeout_seconds=5.0, max_retries=3, poll_seconds=0.01)


@pytest.fixture
def client(provider, options) -> Iterator[Client]:
    with Client(Api(base_url=provider.url, key_variable=VARIABLE), options) as made:
        yield made
