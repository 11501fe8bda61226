"""The commands that start `cloud/run.sh` on a rented box, for each way to get one."""

import shlex
from dataclasses import dataclass

# What SkyPilot and RunPod call the GPUs of `finetune plan`; one of None RunPod does not have.
GPUS: dict[str, tuple[str, str | None]] = {
    "t4": ("T4", None),
    "v100": ("V100", None),
    "a10": ("A10", None),
    "l4": ("L4", "NVIDIA L4"),
    "rtx4090": ("RTX4090", "NVIDIA GeForce RTX 4090"),
    "a100-40": ("A100", None),
    "l40s": ("L40S", "NVIDIA L40S"),
    "a100": ("A100-80GB", "NVIDIA A100 80GB PCIe"),
    "h100": ("H100", "NVIDIA H100 80GB HBM3"),
    "h200": ("H200", "NVIDIA H200"),
}
RUNPOD_DOWN = "bash cloud/runpod_down.sh"
BOX_DOWN = "sudo shutdown -h now"


@dataclass(frozen=True)
class Launch:
    """A run on a rented box; `secrets` are names of environment variables, never values."""

    name: str
    options: tuple[str, ...]
    is_queue: bool
    gpu: str
    gpus: int
    repo: str
    commit: str
    secrets: tuple[str, ...]

    @property
    def arguments(self) -> str:
        """What `cloud/run.sh` takes after the name, quoted for a shell."""
        words = ["--queue"] if self.is_queue else []
        for option in self.options:
            words += ["-S", option]
        return shlex.join(words)


def sky(launch: Launch) -> str:
    """SkyPilot: finds a cheap spot machine, and another one when that is taken away."""
    name = GPUS.get(launch.gpu, (launch.gpu.upper(), None))[0]
    lines = [
        f"sky jobs launch --name {shlex.quote(launch.name)} --gpus {name}:{launch.gpus} --use-spot",
        *(
            f"--env {shlex.quote(f'{key}={value}')}"
            for key, value in (
                ("REPO", launch.repo),
                ("REV", launch.commit),
                ("NAME", launch.name),
                ("OPTIONS", launch.arguments),
            )
        ),
        " ".join(f"--secret {secret}" for secret in launch.secrets),
        "cloud/sky.yaml",
    ]
    return _joined("SkyPilot (cloud/sky.yaml):", lines)


def runpod(launch: Launch) -> str:
    """RunPod by hand: a pod of its page, and then as any box."""
    name = GPUS.get(launch.gpu, (None, None))[1]
    what = f"{launch.gpus} × {name}" if name else f"no {launch.gpu} among the names known here"
    return _box(
        launch, f"RunPod by hand (cloud/runpod.md; {what}):", "root@IP", "ssh -p PORT", RUNPOD_DOWN
    )


def box(launch: Launch) -> str:
    """Any machine with SSH, Git, make and Python."""
    return _box(launch, "Any box with SSH (cloud/box.sh):", "USER@HOST", "ssh", BOX_DOWN)


def _box(launch: Launch, title: str, host: str, ssh: str, down: str) -> str:
    settings = (
        {"REPO": launch.repo, "REV": launch.commit},
        {"SECRETS": " ".join(launch.secrets), "SSH": ssh, "SHUTDOWN": down},
    )
    lines = [
        " ".join(f"{key}={shlex.quote(value)}" for key, value in line.items()) for line in settings
    ]
    lines.append(f"bash cloud/box.sh {host} {shlex.quote(launch.name)} {launch.arguments}")
    return _joined(title, lines)


def _joined(title: str, lines: list[str]) -> str:
    return f"{title}\n  " + " \\\n    ".join(line for line in lines if line)
