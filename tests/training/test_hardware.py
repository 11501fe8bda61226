import resource
import subprocess
import sys
from pathlib import Path

import pytest

from finetune.training import hardware

MB = 10**6
# A process that has touched 400 MB starts one that has not.
PARENT = """
import subprocess, sys
held = b"x" * 400_000_000
sys.exit(subprocess.run([sys.executable, "-c", sys.argv[1]]).returncode)
"""
CHILD = """
import importlib.util, sys, types
sys.modules["torch"] = types.ModuleType("torch")
spec = importlib.util.spec_from_file_location("hardware", {file!r})
hardware = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hardware)
before = hardware.resident_peak()
held = b"x" * 100_000_000
print(before, hardware.resident_peak())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
def test_a_peak_is_of_this_process_and_not_of_the_one_that_started_it():
    child = CHILD.format(file=hardware.__file__)
    done = subprocess.run(
        [sys.executable, "-c", PARENT, child], capture_output=True, text=True, check=True
    )
    before, after = map(int, done.stdout.split())
    assert before < 100 * MB
    assert after - before == pytest.approx(100 * MB, rel=0.1)


def test_without_proc_the_system_is_asked(tmp_path: Path):
    asked = hardware.resident_peak(tmp_path / "status")
    unit = 1 if sys.platform == "darwin" else 1024
    assert asked == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
