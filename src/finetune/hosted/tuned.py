"""What a training job made, as the stage `train` leaves it for `predict`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finetune.core.errors import ModelError
from finetune.core.files import read_json, write_json

FILE = "hosted.json"


@dataclass(frozen=True)
class TunedModel:
    """A model at a provider, and the job that made it; `run` is the hash in the job's metadata."""

    base_url: str
    base_model: str
    fine_tuned_model: str
    job: str
    trained_tokens: int | None
    run: str
    hyperparameters: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        write_json(folder / FILE, asdict(self))


def load(folder: Path) -> TunedModel:
    """What `train` wrote into a folder.

    Raises:
        ModelError: it holds no such model.
    """
    if not (folder / FILE).is_file():
        raise ModelError(f"{folder}: holds no {FILE}; run `dvc repro` to have a model tuned")
    return TunedModel(**read_json(folder / FILE))
