"""cloud/box.sh over a stand-in of ssh, and what the image and its context hold."""

import fnmatch
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import yaml

BASH = shutil.which("bash") or ""
ROOT = Path(__file__).parents[2]
SECRET = "planted-secret-5e2b"
# Runs at once what it is given, in another home; notes its own command line.
SSH = """#!/bin/bash
echo "$@" >> "$COMMAND_LINES"
while [ "$1" != me@box ]; do shift; done
shift
cd "$BOX_HOME" && exec env -i PATH="$PATH" HOME="$BOX_HOME" bash -c "$*"
"""
# In place of cloud/run.sh: which words and variables have arrived.
RUN = """printf '<%s>' "$@"; echo
echo "REV=$REV SHUTDOWN=$SHUTDOWN GIT_TOKEN=${GIT_TOKEN:+set} OTHER=${OTHER:-unset}"
sleep "${WAIT:-0}"
"""


@pytest.fixture
def box(tmp_path):
    """Starts cloud/box.sh, with an empty home beyond its ssh."""
    for name in ("cloud", "bin", "home"):
        (tmp_path / name).mkdir()
    shutil.copy(ROOT / "cloud/box.sh", tmp_path / "cloud")
    (tmp_path / "cloud/run.sh").write_text(RUN)
    (tmp_path / "bin/ssh").write_text(SSH)
    (tmp_path / "bin/ssh").chmod(0o755)

    def start(*arguments: str, **environment: str) -> str:
        done = subprocess.run(
            ["bash", str(tmp_path / "cloud/box.sh"), "me@box", *arguments],
            env={
                "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "BOX_HOME": str(tmp_path / "home"),
                "COMMAND_LINES": str(tmp_path / "command_lines"),
                "REPO": "https://example.com/a.git",
                **environment,
            },
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
        return done.stdout

    return start


def log_of(folder: Path, name: str) -> str:
    """What the run has written, once it has."""
    file, deadline = folder / f"home/finetune-{name}.log", time.monotonic() + 20
    while not (file.exists() and file.read_text().count("\n") >= 2):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return file.read_text()


def test_words_and_variables_arrive_as_they_are(box, tmp_path):
    options = ("-S", "tasks.samsum.prompt.instruction='Say it, \"briefly\".'", "-S", "~tasks.price")
    said = box("r 8", *options, REV="abc", SHUTDOWN='down "$X"', GIT_TOKEN=SECRET, OTHER="1")
    log = log_of(tmp_path, "r 8")
    assert log.splitlines() == [
        "".join(f"<{word}>" for word in ("r 8", *options)),
        'REV=abc SHUTDOWN=down "$X" GIT_TOKEN=set OTHER=unset',
    ]
    assert "it keeps running there without this connection" in said
    # The token went through standard input: into no command line and no file.
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert tmp_path / "command_lines" in written
    assert [file for file in written if SECRET in file.read_text()] == []


def test_a_run_that_still_runs_is_not_started_twice(box, tmp_path):
    box("r8", SECRETS="WAIT", WAIT="10")
    log_of(tmp_path, "r8")
    assert "it still runs here" in box("r8")


def test_without_a_name_or_a_repository_it_says_what_is_missing(tmp_path):
    for arguments, missing in (([], "which box?"), (["me@box"], "which name?")):
        done = subprocess.run(
            ["bash", str(ROOT / "cloud/box.sh"), *arguments],
            env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode != 0
        assert missing in done.stderr


def test_git_asks_for_the_token_by_its_name(tmp_path):
    functions = (ROOT / "cloud/run.sh").read_text().partition("\nmain() {")[0]
    script = f"{functions}\nuse_token; git credential fill; env"

    def asked(host: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-c", script],
            input=f"protocol=https\nhost={host}\n\n",
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "GIT_TERMINAL_PROMPT": "0",
                "REPO": "https://example.com/a.git",
                "GIT_TOKEN": SECRET,
            },
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = asked("example.com")
    assert f"password={SECRET}\n" in done.stdout
    assert "password" not in asked("elsewhere.example.com").stdout
    variables = [line for line in done.stdout.splitlines() if line.endswith(SECRET)]
    assert variables == [f"password={SECRET}", f"GIT_TOKEN={SECRET}"]


@pytest.mark.parametrize("who", [f"me:{SECRET}", SECRET, f":{SECRET}"])
def test_a_repository_with_a_password_in_its_address_is_refused(tmp_path, who):
    done = subprocess.run(
        ["bash", str(ROOT / "cloud/run.sh"), "r8"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "REPO": f"https://{who}@example.com/a.git",
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    said = "run.sh: REPO holds a password or a token: leave it out, and set GIT_TOKEN\n"
    assert done.stderr == said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("minutes", "tries"), [("0", 1), ("10", 7), ("240", 53)])
def test_a_push_is_tried_again_for_so_many_minutes(minutes, tries):
    functions = (ROOT / "cloud/run.sh").read_text().partition("\nmain() {")[0]
    script = f"""{functions}
WORK=here PUSH_MINUTES={minutes}
sleep() {{ ((slept = SECONDS + $1)); SECONDS=$slept; echo "$1"; }}
finetune() {{ echo refused; echo tried >&3; return 2; }}
exec 3>&1
push n
"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    tried, waits = done.stdout.count("tried"), re.findall(r"^\d+$", done.stdout, re.MULTILINE)
    assert tried == tries
    # A second may pass of itself.
    assert 60 * int(minutes) - 5 <= sum(map(int, waits)) <= 60 * int(minutes)
    assert max(map(int, waits), default=0) <= 300
    assert done.stderr.splitlines()[-1].startswith("run.sh: refused; this box stays on")


@pytest.mark.parametrize("failing", ["", "n-1"])
def test_a_run_of_a_sweep_that_cannot_be_pushed_ends_none_of_the_others(tmp_path, failing):
    functions = (ROOT / "cloud/run.sh").read_text().partition("\nmain() {")[0]
    script = f"""{functions}
prepare() {{ :; }}
python() {{ echo n-1; sleep 0.1; echo n-2; }}
finetune() {{ [ "$2" != "$FAILING" ] && echo "$2 has arrived" || {{ echo refused; return 2; }}; }}
NAME=n WORK=here PUSH_MINUTES=0
run_queue -S n=1,2
echo to the end
"""
    done = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": os.environ["PATH"], "FAILING": failing},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "n-2 has arrived\n" in done.stdout
    assert ("to the end" in done.stdout) == (not failing)
    assert done.returncode == int(bool(failing))
    if failing:
        first, last = done.stderr.splitlines()
        assert first.startswith("run.sh: refused; this box stays on")
        assert last.startswith("run.sh: not all experiments of n have run and arrived")


@pytest.mark.parametrize("there", ["git", "make", ""])
def test_a_machine_of_skypilot_gets_what_it_lacks_of_git_and_make(tmp_path, there):
    commands = {"sudo": 'echo "$*"'} | ({there: ""} if there else {})
    for name, command in commands.items():
        (tmp_path / name).write_text(f"#!{BASH}\n{command}\n")
        (tmp_path / name).chmod(0o755)
    setup = yaml.safe_load((ROOT / "cloud/sky.yaml").read_text())["setup"]
    # What it installs with is printed, but for the line that goes nowhere.
    done = subprocess.run(
        [BASH, "-c", setup.replace(" >/dev/null; }", "; }")],
        env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1:] == ["apt-get install -y -qq git make"]


@pytest.mark.parametrize(("has_uv", "found"), [(True, "/of/uv/python3.11"), (False, "")])
def test_a_python_that_is_too_old_is_not_taken(tmp_path, has_uv, found):
    functions = (ROOT / "cloud/run.sh").read_text().partition("\nmain() {")[0]
    commands = {"python3": "exit 1", "python3.11": "exit 1"}
    commands |= {"python3.12": "exit 1", "python3.13": "exit 1"}
    commands |= {"uv": '[ "$2" = install ] || echo /of/uv/python3.11'} if has_uv else {}
    for name, command in commands.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{command}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [BASH, "-c", f"{functions}\nfind_python"],
        env={"PATH": f"{tmp_path}:/bin", "HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (int(not has_uv), found)


def instructions() -> list[str]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    return [line for line in lines if line.strip()]


def test_the_image_is_pinned_by_its_digest_and_is_not_run_as_root():
    lines = instructions()
    (base,) = [line for line in lines if line.startswith("ARG PYTHON=")]
    assert re.fullmatch(r"ARG PYTHON=python:3\.\d+\.\d+-[\w-]+@sha256:[0-9a-f]{64}", base)
    stages = [line.split() for line in lines if line.startswith("FROM ")]
    names = [stage[3] for stage in stages]
    assert names[-2:] == ["cpu", "cuda"]  # the last one is the default
    assert all(stage[1] == "${PYTHON}" or stage[1] in names for stage in stages)
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users[-1] == "1000"


def test_the_image_gets_nothing_but_what_it_is_made_of():
    """A context with data, keys or history in it would put them into the image, or its layers."""
    ignored = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in "#"
    ]
    assert ignored[0] == "*"
    allowed = [line.removeprefix("!") for line in ignored[1:]]
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    context = [name for name in tracked if any(fnmatch.fnmatch(name, each) for each in allowed)]
    assert {"requirements.txt", "constraints.txt"} <= set(context)
    assert all(name.endswith(".txt") or name == "cloud/run.sh" for name in context)
    copied = [line.split()[1:-1] for line in instructions() if line.startswith("COPY")]
    sources = [word for words in copied for word in words if not word.startswith("--")]
    assert all(fnmatch.filter(context, source) for source in sources)
