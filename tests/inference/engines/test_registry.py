from typing import get_args

import pytest

from finetune.core.schema import EngineName, Run
from finetune.inference.engines import builtin, reference, registry


def test_the_names_are_those_of_the_parameter():
    assert get_args(EngineName) == registry.NAMES
    assert Run.model_fields["engine"].default == registry.BUILTIN


@pytest.mark.parametrize("engine", [builtin, reference, registry.vllm_engine.Vllm])
def test_each_engine_has_all_functions(engine):
    names = [name for name in vars(registry.Engine) if not name.startswith("_")]
    assert len(names) == 7
    assert [name for name in names if not callable(getattr(engine, name, None))] == []
