"""Where the pipeline reads and writes, relative to the root of the repository."""

from pathlib import Path

SPLITS = ("train", "validation", "test")


def raw(task: str) -> Path:
    """The folder that `fetch` writes."""
    return Path("data/raw") / task


def guesses(task: str) -> Path:
    """The folder of others' answers to test rows, one file a rung; not every source has them."""
    return raw(task) / "guesses"


def prepared(task: str) -> Path:
    """The folder that `prepare` writes."""
    return Path("data/prepared") / task


def predictions(task: str, name: str) -> Path:
    """Predictions of a model: `base`, `few_shot` or `tuned`."""
    return Path("predictions") / task / f"{name}.jsonl"


def ladder(task: str) -> Path:
    """The folder of the rungs' predictions."""
    return Path("predictions") / task / "ladder"


def metrics(task: str, name: str) -> Path:
    """A metric file."""
    return Path("metrics") / task / f"{name}.json"


def groups(task: str) -> Path:
    """The table of scores by groups of rows."""
    return Path("metrics") / task / "groups.tsv"


def curves(task: str) -> Path:
    """The folder of a training run's curves."""
    return Path("metrics") / task / "curves"


def adapter(task: str) -> Path:
    """The folder of a task's adapter."""
    return Path("models") / task


def without_folders(name: str) -> str:
    """A model's or folder's name for others to read: an absolute path may hold a user's name."""
    return f"…/{Path(name).name}" if Path(name).is_absolute() else name
