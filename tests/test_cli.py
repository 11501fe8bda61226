import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FINETUNE = [sys.executable, "-m", "finetune.cli"]


def test_elsewhere_it_says_where_to_run_it(tmp_path):
    done = subprocess.run(
        [*FINETUNE, "show"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.endswith("no dvc.yaml here; run it in the repository's root\n")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_stops_reading_is_no_mistake():
    with subprocess.Popen(
        [*FINETUNE, "show"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0
