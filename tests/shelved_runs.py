"""Runs of two tasks whose rows hold texts, as the pipeline leaves them in a workspace."""

import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).parents[1]
ROWS = {"validation": 60, "test": 120}
# Words that stand in rows alone: in inputs, references, answers, ids and labels of the data.
WORDS = ("Jarmila", "marzipan", "quokka", "Ladislav", "zeppelin", "haberdashery")
ELSEWHERE = "/home/ladislav/private"


def samsum_rows(split: str, gain: float, seed: int) -> list[dict]:
    """Scored summaries; the same `seed` and `gain` give the same scores."""
    rng, ease = np.random.default_rng(seed), np.random.default_rng(len(split))
    return [
        {
            "id": f"Jarmila and the zeppelin {split} {n}",
            "reference": f"Jarmila will bring the marzipan to Ladislav number {n}.",
            "prediction": f"The quokka eats the marzipan of Jarmila, {n} pieces of it.",
            "hit_length_cap": bool(n % 17 == 0),
            "empty": False,
            "reference_nll": round(float(60 - gain + rng.normal()), 4),
            "reference_tokens": 20 + n % 5,
            "reference_truncated": False,
            "input_hash": f"{n:012x}",
            "cluster": f"Jarmila and the zeppelin {split} {n - n % 2}",
            "prompt_truncated": False,
            **{
                key: round(float(ease.normal(40, 10) + gain + rng.normal(0, 2)), 4)
                for key in ("rouge1", "rouge2", "rougeL", "rougeLsum_by_sentence")
            },
            "prediction_words": 11,
            "reference_words": 9,
            "unsupported": ["quokka"],
            "has_unsupported": 100.0 * (n % 3 == 0),
        }
        for n in range(ROWS[split])
    ]


def price_rows(split: str, gain: float, seed: int) -> list[dict]:
    """Scored prices with a category."""
    rng, ease = np.random.default_rng(seed), np.random.default_rng(len(split))
    rows = []
    for n in range(ROWS[split]):
        price = round(float(ease.uniform(60, 500)), 2)
        error = round(abs(float(40 - gain + rng.normal(0, 5))), 4)
        rows.append(
            {
                "id": f"{split}-{n}",
                "reference": price,
                "category": "haberdashery",
                "prediction": round(price + error, 2),
                "estimates": {"greedy": price},
                "crps": error / 2,
                "input_hash": f"{n:012x}",
                "cluster": f"{split}-{n}",
                "unparsable": False,
                "absolute_error": error,
                "hit": 100.0 * (error < 40),
            }
        )
    return rows


MAKERS = {"samsum": (samsum_rows, "rouge1"), "price": (price_rows, "mae")}


def files_of(gain: float, seed: int) -> dict[str, str]:
    """The pipeline's files of a run, but for params.yaml and dvc.lock."""
    files: dict[str, str] = {}

    def lines(path: str, rows: list[dict]) -> None:
        files[path] = "".join(json.dumps(row) + "\n" for row in rows)

    for task, (rows_of, primary) in MAKERS.items():
        folder = f"predictions/{task}"
        for split, below in (("validation", "validation/"), ("test", "")):
            lines(f"{folder}/scored/{below}tuned.jsonl", rows_of(split, gain, seed))
            lines(f"{folder}/scored/{below}base.jsonl", rows_of(split, -20, 1))
            lines(f"{folder}/baselines/{below}lead.jsonl", rows_of(split, -5, 2))
        files[f"{folder}/scored/few_shot.jsonl"] = ""
        general = [
            {"id": f"page-{n}", "part": "page", "nll": 100.5 + n, "tokens": 30, "bytes": 90}
            for n in range(8)
        ]
        lines(f"{folder}/general/tuned.jsonl", general)
        scores = {
            primary: 50.0,
            "n": ROWS["test"],
            "interval": {primary: {"low": 48.0, "high": 52.0}},
            "protocol": {"split": "test", "decode": "greedy"},
            "validation": {primary: 51.0, "n": ROWS["validation"]},
            "predictions_hash": "0123456789ab",
        }
        gained = {"mean": gain, "low": gain - 1, "high": gain + 1, "n": ROWS["test"]}
        run = {"device": "CPU, 2 threads", "minutes": 1.5, "tokens_per_second": 100}
        train = {"rows": 600, "trainable_parameters": 1000, "advice": "The quokka", "run": run}
        metrics = {
            "base": {"base": scores},
            "baselines": {"baselines": {"lead": scores}},
            "train": {"train": train},
            "tuned": {**scores, "gain": {primary: gained}},
            "data": {"data": {"train": {"kept": 600}}},
        }
        for name, content in metrics.items():
            files[f"metrics/{task}/{name}.json"] = json.dumps({task: content})
        files[f"metrics/{task}/groups.tsv"] = "by\tgroup\ncategory\thaberdashery\n"
        files[f"metrics/{task}/curves/train_loss.tsv"] = "step\ttrain_loss\n1\t5.25\n2\t1.5e-05\n"
    return files


def save(folder: Path, gain: float, seed: int, **changed: object) -> None:
    """Write a run into a workspace; `changed` are parameters, with __ for dots."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values = {
        "data__root": ELSEWHERE,
        "model__name": f"{ELSEWHERE}/smollm2",
        "train__seed": seed,
        "tasks__samsum__train__seed": seed,
        "tasks__price__train__seed": seed,
        "run__usd_per_hour": 2.0,
        "bootstrap__resamples": 300,
    }
    for key, value in (values | changed).items():
        *sections, last = key.split("__")
        node = params
        for section in sections:
            node = node[section]
        node[last] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    stages: dict[str, dict] = {
        f"train@{task}": {
            "deps": [{"path": f"{ELSEWHERE}/smollm2", "md5": "1" * 32}],
            "outs": [{"path": f"models/{task}", "md5": f"{seed:032x}"}],
        }
        for task in MAKERS
    }
    for path, text in files_of(gain, seed).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        if "/scored/" in path:
            stage = stages.setdefault(f"evaluate@{path.split('/')[1]}", {"outs": []})
            stage["outs"].append({"path": path, "md5": hashlib.md5(text.encode()).hexdigest()})
    lock = {"schema": "2.0", "stages": {name: {"cmd": "x", **of} for name, of in stages.items()}}
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock), encoding="utf-8")


def call(folder: Path, *words: str) -> None:
    """Run a command that must succeed."""
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
