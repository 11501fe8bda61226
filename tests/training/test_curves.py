import pytest

from finetune.training import curves

HISTORY = [
    {"step": 2, "loss": 3.0, "learning_rate": 0.1, "grad_norm": 0.5, "tokens_per_second": 900},
    {"step": 3, "eval_loss": 2.5, "eval_runtime": 1.0},
    {"step": 4, "loss": 2.0, "learning_rate": 0.05, "tokens_per_second": 800},
    {"step": 4, "train_runtime": 9.0},
]


@pytest.fixture
def folders(tmp_path):
    return {tmp_path / "curves": curves.QUALITY, tmp_path / "hardware": curves.HARDWARE}


def texts(folders) -> dict[str, str]:
    files = [file for folder in folders for file in folder.glob("*")]
    return {f"{file.parent.name}/{file.name}": file.read_text() for file in files}


def test_each_curve_is_a_file_with_the_optimizer_step(folders):
    curves.write(HISTORY, folders)
    assert texts(folders) == {
        "curves/train_loss.tsv": "step\ttrain_loss\n2\t3.0\n4\t2.0\n",
        "curves/validation_loss.tsv": "step\tvalidation_loss\n3\t2.5\n",
        "curves/learning_rate.tsv": "step\tlearning_rate\n2\t0.1\n4\t0.05\n",
        "curves/gradient_norm.tsv": "step\tgradient_norm\n2\t0.5\n",
        # What depends on the machine stands apart.
        "hardware/tokens_per_second.tsv": "step\ttokens_per_second\n2\t900\n4\t800\n",
    }


def test_curves_grow_while_a_run_goes_on(folders, tmp_path):
    with curves.writing(folders) as writer:
        writer.begin([])
        writer.add(HISTORY[0])
        file = tmp_path / "curves/train_loss.tsv"
        assert file.read_text() == "step\ttrain_loss\n2\t3.0\n"
        writer.add(HISTORY[2])
        assert file.read_text().endswith("\n4\t2.0\n")


def test_a_resumed_run_s_curves_end_at_its_checkpoint_and_grow_to_those_of_a_whole_run(folders):
    with curves.writing(folders) as writer:
        writer.begin([])
        for entry in (*HISTORY[:2], {"step": 4, "loss": 9.0}):
            writer.add(entry)
    with curves.writing(folders) as writer:
        writer.begin(HISTORY[:2])
        for entry in HISTORY[2:]:
            writer.add(entry)
    grown = texts(folders)
    curves.write(HISTORY, folders)
    assert texts(folders) == grown


def test_an_error_leaves_no_curves_of_half_a_run(folders):
    def stopped() -> None:
        with curves.writing(folders) as writer:
            writer.begin(HISTORY)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert not any(folder.exists() for folder in folders)


def test_an_error_before_training_leaves_the_curves_of_the_last_run(folders):
    curves.write(HISTORY, folders)
    before = texts(folders)
    with pytest.raises(KeyboardInterrupt), curves.writing(folders):
        raise KeyboardInterrupt
    assert texts(folders) == before


def test_no_dvc_yaml_is_written(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    curves.write(HISTORY, folders)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["curves", "hardware"]
