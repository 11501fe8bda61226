"""Where the pipeline reads and writes, relative to the root of the repository."""

from pathlib import Path

# What a path outside the repository is published with, in place of its folders.
ELSEWHERE = "…/"
SPLITS = ("train", "validation", "test")


def raw(task: str) -> Path:
    """The folder that `fetch` writes."""
    return Path("data/raw") / task


def guesses(task: str) -> Path:
    """The folder of third-party predictions for test rows, one file a baseline; may be missing."""
    return raw(task) / "guesses"


def prepared(task: str) -> Path:
    """The folder that `prepare` writes."""
    return Path("data/prepared") / task


def predictions(task: str, name: str, split: str = "test") -> Path:
    """Predictions of a model: `base`, `few_shot` or `tuned`, not yet scored."""
    folder = Path("predictions") / task
    return (folder if split == "test" else folder / split) / f"{name}.jsonl"


def general(task: str, name: str) -> Path:
    """Likelihoods of general text under a model, `base` or `tuned`."""
    return Path("predictions") / task / "general" / f"{name}.jsonl"


def scored(task: str, name: str, split: str = "test") -> Path:
    """The same predictions, with the scores of each row."""
    folder = Path("predictions") / task / "scored"
    return (folder if split == "test" else folder / split) / f"{name}.jsonl"


def looks() -> Path:
    """The ledger of comparisons that read test rows; in Git."""
    return Path("metrics") / "looks.json"


def baselines(task: str, split: str = "test") -> Path:
    """The folder of the baselines' predictions, scored."""
    folder = Path("predictions") / task / "baselines"
    return folder if split == "test" else folder / split


def shelf() -> Path:
    """The folder of shelved runs; in Git."""
    return Path("results")


def metrics(task: str, name: str) -> Path:
    """A metric file."""
    return Path("metrics") / task / f"{name}.json"


def data_card(task: str) -> Path:
    """What a task's rows are like; in Git, so without texts that may not be given away."""
    return Path("metrics") / task / "data_card.json"


def data_card_page(task: str) -> Path:
    """The same for people; in Git too."""
    return Path("reports") / "data" / f"{task}.md"


def groups(task: str) -> Path:
    """The table of scores by groups of rows."""
    return Path("metrics") / task / "groups.tsv"


def plot(task: str, name: str) -> Path:
    """A table that `dvc plots` draws."""
    return Path("metrics") / task / f"{name}.tsv"


def curves(task: str) -> Path:
    """The folder of a training run's curves."""
    return Path("metrics") / task / "curves"


def hardware_curves(task: str) -> Path:
    """The folder of what the machine did during a training run; not in Git."""
    return Path("hardware") / task


def adapter(task: str) -> Path:
    """The folder of a task's adapter, or of its model where all weights were trained."""
    return Path("models") / task


TRAINED = ("adapter_model.safetensors", "model.safetensors", "hosted.json")


def trained_weights(task: str) -> Path | None:
    """The file of a task's adapter or model, or of its name at a provider; None without one."""
    files = (adapter(task) / name for name in TRAINED)
    return next((file for file in files if file.is_file()), None)


CHECKPOINTS = "checkpoints"  # in an adapter's folder


def checkpoint(task: str, step: int) -> Path:
    """The folder of the adapter that was evaluated after so many steps, where it was kept."""
    return adapter(task) / CHECKPOINTS / str(step)


def without_folders(name: str) -> str:
    """The name to publish: of a path outside the repository, which may hold a user's name, the end.

    That is an absolute one, or one that begins with `~` or `..`.
    """
    is_outside = Path(name).is_absolute() or name.startswith(("~", "../"))
    return f"{ELSEWHERE}{Path(name).name}" if is_outside else name
