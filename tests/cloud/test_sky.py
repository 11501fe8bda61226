"""cloud/sky.yaml, read by SkyPilot itself, which has an environment of its own."""

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from finetune.cloud.launchers import Launch, sky

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-sky/bin/python"
pytestmark = pytest.mark.skipif(
    not PYTHON.exists(),
    reason="SkyPilot is not here: python -m venv .venv-sky && "
    ".venv-sky/bin/pip install -r requirements-sky.txt",
)
# Reads what it is given as the command does, and says what it has understood.
READ = """
import json, sys, yaml, sky
from sky.client.cli.command import jobs_launch

change, arguments = json.loads(sys.argv[1]), sys.argv[2:]
context = jobs_launch.make_context("launch", arguments)
given = context.params
config = yaml.safe_load(open("cloud/sky.yaml")) | change
task = sky.Task.from_yaml_config(
    config, env_overrides=list(given["env"]), secrets_overrides=list(given["secret"])
)
(resources,) = task.resources
print(json.dumps({
    "gpus": given["gpus"],
    "spot": resources.use_spot,
    "recovery": resources.job_recovery,
    "down": resources.autostop_config.down,
    "idle_minutes": resources.autostop_config.idle_minutes,
    "envs": task.envs,
    "secrets": sorted(task.secrets),
    "mounts": task.file_mounts,
    "run": task.run,
    "printed": str(task),
}))
"""
SECRET = "planted-secret-77aa"
LAUNCH = Launch(
    name="t4-1234",
    options=("experiment=t4", "tasks.samsum.prompt.instruction='Say it, briefly.'"),
    is_queue=False,
    gpu="l40s",
    gpus=2,
    repo="https://example.com/a.git",
    commit="0" * 40,
    secrets=("GIT_TOKEN", "HF_TOKEN"),
)


def read(tmp_path: Path, launch: Launch, change: dict | None = None) -> tuple[int, str, str]:
    command = shlex.split(sky(launch).partition("\n")[2].replace("\\\n", " "))
    assert command[:3] == ["sky", "jobs", "launch"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(PYTHON), "-c", READ, json.dumps(change or {}), *command[3:]],
        cwd=ROOT,
        env={
            **environment,
            "HOME": str(tmp_path),
            "SKYPILOT_DISABLE_USAGE_COLLECTION": "1",
            "GIT_TOKEN": SECRET,
            "HF_TOKEN": SECRET,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_skypilot_reads_the_file_and_the_command_that_is_printed(tmp_path):
    code, said, error = read(tmp_path, LAUNCH)
    assert code == 0, error
    task = json.loads(said.splitlines()[-1])
    assert task["gpus"] == "L40S:2"
    assert task["spot"]
    assert task["recovery"]["strategy"] == "EAGER_NEXT_REGION"
    assert (task["down"], task["idle_minutes"]) == (True, 60)
    assert task["envs"]["REV"] == LAUNCH.commit
    assert shlex.split(task["envs"]["OPTIONS"]) == [
        word for option in LAUNCH.options for word in ("-S", option)
    ]
    assert {"GIT_TOKEN", "HF_TOKEN"} <= set(task["secrets"])
    assert SECRET not in said + error
    assert [ROOT / source for source in task["mounts"].values()] == [ROOT / "cloud/run.sh"]


def test_what_the_file_runs_gives_the_script_its_words(tmp_path):
    """The `run` of the file, with a stand-in of cloud/run.sh in the home that it is mounted to."""
    _, said, _ = read(tmp_path, LAUNCH)
    task = json.loads(said.splitlines()[-1])
    (tmp_path / "run.sh").write_text('printf \'<%s>\' "$@"; echo " ${HF_TOKEN-unset}"\n')
    done = subprocess.run(
        ["bash", "-c", task["run"]],
        env={
            "PATH": os.environ["PATH"], "HOME": str(tmp_path), **task["envs"],
            **dict.fromkeys(task["secrets"], ""),
        },
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    words = "".join(f"<-S><{option}>" for option in LAUNCH.options)
    assert done.stdout == f"<t4-1234>{words} unset\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [({"spots": 1}, "spots"), ({"envs": {"REPO": "", "MORE": None}}, "MORE")],
)
def test_a_mistake_in_the_file_would_be_noticed(tmp_path, change, said):
    code, _, error = read(tmp_path, LAUNCH, change)
    assert code != 0
    assert said in error
