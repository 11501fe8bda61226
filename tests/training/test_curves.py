from finetune.training import curves

HISTORY = [
    {"step": 2, "loss": 3.0, "learning_rate": 0.1},
    {"step": 3, "eval_loss": 2.5, "eval_runtime": 1.0},
    {"step": 4, "loss": 2.0, "learning_rate": 0.05},
    {"step": 4, "train_runtime": 9.0},
]


def test_each_curve_is_a_file_with_the_optimizer_step(tmp_path):
    curves.write(HISTORY, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "learning_rate.tsv",
        "train_loss.tsv",
        "validation_loss.tsv",
    ]
    assert (tmp_path / "train_loss.tsv").read_text() == "step\ttrain_loss\n2\t3.0\n4\t2.0\n"
    assert (tmp_path / "validation_loss.tsv").read_text() == "step\tvalidation_loss\n3\t2.5\n"


def test_no_dvc_yaml_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    curves.write(HISTORY, tmp_path / "curves")
    assert [file.name for file in tmp_path.iterdir()] == ["curves"]
