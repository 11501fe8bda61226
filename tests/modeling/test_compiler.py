import os
import subprocess
import sys

import pytest

CODE = """
import os, torch
torch.cuda.is_available = lambda: {has_gpu}
import finetune.modeling
print(os.environ.get("TORCHDYNAMO_DISABLE"))
"""


@pytest.mark.parametrize(("has_gpu", "disabled"), [(True, "None"), (False, "1")])
def test_the_compiler_is_left_to_be_used_on_a_gpu_and_not_imported_without_one(has_gpu, disabled):
    environment = {k: v for k, v in os.environ.items() if k != "TORCHDYNAMO_DISABLE"}
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(has_gpu=has_gpu)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [disabled]
