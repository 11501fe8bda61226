import pytest

from finetune.core.errors import UserError
from finetune.stages import train


def test_several_processes_of_one_run_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")  # as torchrun sets it
    with pytest.raises(UserError, match=r"WORLD_SIZE is above 1: .* one queue worker each"):
        train.run(None, "samsum")
