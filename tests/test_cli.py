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


def test_results_of_other_parameters_are_shown_with_a_warning(tmp_path):
    for name in ("dvc.yaml", "dvc.lock", "params.yaml", "metrics"):
        (tmp_path / name).symlink_to(ROOT / name)

    def show() -> str:
        return subprocess.run(
            [*FINETUNE, "show"], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    assert "Take care" not in show()
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").unlink()
    (tmp_path / "params.yaml").write_text(params.replace("  r: 16\n", "  r: 64\n"))
    *_, last = show().splitlines()
    assert last.startswith("Take care: workspace: predictions of samsum were made with lora.r = 16")


def test_a_reader_that_stops_reading_is_no_mistake():
    with subprocess.Popen(
        [*FINETUNE, "show"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0
