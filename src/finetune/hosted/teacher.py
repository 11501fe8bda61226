"""A teacher: a model behind an API that writes data, such as questions or paraphrases."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from finetune.core import runstate
from finetune.core.errors import UserError
from finetune.core.interrupts import Interrupted
from finetune.core.schema import Api, Model, Run
from finetune.hosted import prices
from finetune.hosted.answers import Asker, Store
from finetune.hosted.client import Client


@dataclass(frozen=True)
class Options:
    """Who the teacher is: `key_variable` is the environment variable that holds its key."""

    url: str
    model: str
    key_variable: str


@contextlib.contextmanager
def opened(options: Options, run: Run, purpose: str) -> Iterator[Asker]:
    """Asks a teacher; answers are on disk until this is closed.

    A run that was killed continues: what was answered is not asked, or paid, again. `purpose` keeps
    the answers of one command apart from those of another.

    Raises:
        UserError: the address is none, or the environment holds no key.
        Interrupted: Ctrl-C; answers so far are kept.
    """
    try:
        # Servers on one's own machine know the older name alone.
        api = Api(base_url=options.url, key_variable=options.key_variable)
        if api.is_local:
            api = api.model_copy(update={"max_tokens_field": "max_tokens"})
    except ValidationError as error:
        (first, *_) = error.errors()
        option = "--teacher" if first["loc"] == ("base_url",) else "--key-variable"
        raise UserError(f"{option}: {first['msg'].removeprefix('Value error, ')}") from None
    if not os.environ.get(options.key_variable, "").strip():
        raise UserError(
            f"--key-variable: the environment variable {options.key_variable} is not set; export "
            f"it with your key for {api.host} (any word for a server that takes none)"
        )
    model = Model(name=options.model, source="hosted", revision=None, watch="", api=api)
    rates = prices.rates(run.hosted_prices, is_tuned=False)
    identity = {"url": options.url, "model": options.model}
    state = runstate.folder("teacher", purpose, identity)
    with Client(api, run.hosted) as client, runstate.locked(state):
        store = Store(state)
        try:
            yield Asker(client, model, options.model, rates, run, store)
        except KeyboardInterrupt:
            raise Interrupted(
                f"{len(store)} answers are kept; the same command asks for the others"
            ) from None
