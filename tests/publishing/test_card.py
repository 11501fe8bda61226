"""The card: what the hub reads of it, and what a person does."""

import subprocess
from pathlib import Path

import yaml
from huggingface_hub import ModelCard

from finetune.core import paths
from finetune.core.files import read_json
from finetune.publishing import card, command

REPO = "owner/summaries"


def front(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


def test_the_front_matter_has_base_library_and_scores(published):
    data = front(card.card(published(), REPO))
    assert (data["base_model"], data["library_name"]) == ("owner/base", "peft")
    (model,) = data["model-index"]
    assert model["name"] == "summaries"
    tuned = read_json(paths.metrics("samsum", "tuned"))["samsum"]
    (first,) = (each for each in model["results"][0]["metrics"] if each["type"] == "rouge1")
    assert first["value"] == tuned["rouge1"]
    assert first["args"] == {**tuned["interval"]["rouge1"], "n": tuned["n"]}
    assert model["results"][0]["dataset"]["split"] == "test"


def test_the_body_has_baselines_data_parameters_and_hashes(published):
    text = card.body(published(), REPO)
    for part in ("lead3", "tuned", "Licence: MIT", "SHA-256"):
        assert part in text
    parameters = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    assert parameters["model"]["name"] == "owner/base"
    assert parameters["task"]["train"]["epochs"] == 2.0
    assert "not of a commit" in text  # the folder is no clone


def test_of_an_export_the_scores_are_its_own(published, exported):
    release = published(export=exported())
    text = card.card(release, REPO)
    assert front(text)["library_name"] == "transformers"
    assert front(text)["model-index"][0]["results"][0]["metrics"][0]["value"] == 49.5
    assert "−0.50 [−1.00, 0.00]" in text


def test_the_hubs_client_reads_the_scores_that_stand_there(published):
    text = card.card(published(), REPO)
    tuned = read_json(paths.metrics("samsum", "tuned"))["samsum"]
    results = ModelCard(text).data.eval_results
    assert {each.metric_type: each.metric_value for each in results}.items() <= tuned.items()
    assert len(results) > 3


def test_the_commit_is_that_of_the_run(workspace):
    def git(*arguments: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(name: str, text: str) -> str:
        Path(name).write_text(text)
        git("add", name)
        git("commit", "-qm", name)
        return git("rev-parse", "HEAD")

    git("init", "-q")
    of_run = commit("dvc.lock", "a run")
    commit("code.py", "later code")
    assert card._commit(workspace) == of_run
    Path("code.py").write_text("not committed")
    assert card._commit(workspace) is None


def test_all_files_of_weights_have_their_hash(published):
    Path("models/samsum/model-00002-of-00002.safetensors").write_bytes(b"more")
    text = card.body(published(), REPO)
    for name in ("adapter_model", "model-00002-of-00002"):
        assert f"`{name}.safetensors`: SHA-256" in text


def test_what_leaves_names_the_bases_repository(published, workspace, tmp_path):
    Path("models/samsum/notes.md").write_text("mine")
    Path("models/samsum/checkpoints").mkdir()
    release = published()
    assert release.left_out == ("checkpoints", "notes.md")
    folder = tmp_path / "staged"
    folder.mkdir()
    command.stage(release, REPO, folder)
    config = read_json(folder / "adapter_config.json")
    assert config["base_model_name_or_path"] == "owner/base"
    assert config["revision"] == release.settings.model.revision
    assert sorted(file.name for file in folder.iterdir()) == [
        "README.md", "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip
    assert "/home/me" not in "".join(f.read_text() for f in folder.iterdir())
