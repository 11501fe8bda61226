from pathlib import Path

import pytest

from finetune.core.errors import DataError
from finetune.scaffold import layout


def folder(path: Path, *names: str, text: str = "text,summary\nx,y\n") -> Path:
    for name in names:
        (path / name).write_text(text)
    return path


def test_a_file_is_all_that_there_is(tmp_path):
    file = folder(tmp_path, "goods.csv") / "goods.csv"
    assert layout.find(file) == layout.Layout(tmp_path, {"all": "goods.csv"}, ",")
    assert layout.find(file).learned == "all"


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("train.csv", "test.csv"), {"train": "train.csv", "test": "test.csv"}),
        (
            ("TRAIN.jsonl", "val-00000-of-00001.parquet", "test_final.json", "trains.csv", "x.txt"),
            {
                "train": "TRAIN.jsonl",
                "validation": "val-00000-of-00001.parquet",
                "test": "test_final.json",
            },
        ),
        (("training.csv", "dev.csv", "testing.csv"), {"train": "training.csv"}),
    ],
)
def test_files_of_a_folder_are_splits_by_their_names(tmp_path, names, splits):
    found = layout.find(folder(tmp_path, *names))
    assert splits.items() <= found.splits.items()
    assert found.learned == "train"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("train.csv",), "no file is called test.* (readable files: train.csv); or give"),
        ((), "no file is called train.* or test.* (readable files: none)"),
        (("train.csv", "train.json", "test.csv"), "train.csv and train.json may both be train"),
    ],
)
def test_a_folder_that_is_no_data_set_is_a_mistake(tmp_path, names, said):
    with pytest.raises(DataError) as raised:
        layout.find(folder(tmp_path, *names))
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("name", "said"), [("no.csv", "no such file or folder"), ("a.xlsx", "unknown format; known: .")]
)
def test_a_file_that_is_not_there_or_of_no_known_format_is_a_mistake(tmp_path, name, said):
    folder(tmp_path, "a.xlsx")
    with pytest.raises(DataError, match=said):
        layout.find(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ('a;b\n"1, 2, 3";4\n"5, 6";7\n', ";"),
        ('\ufeff"a";"b"\n"one\ntwo; three";"4"\n', ";"),
        ("a\tb\n1, 2\t3; 4\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ("text\none, two\n", ","),
        ("", ","),
        ("title, short,price; usd\nx,1\n", ","),
    ],
)
def test_the_delimiter_is_the_one_that_fits_most_rows(tmp_path, text, delimiter):
    file = tmp_path / "a.csv"
    file.write_text(text, encoding="utf-8")
    assert layout.sniff(file) == delimiter


def test_files_of_one_folder_have_one_delimiter(tmp_path):
    folder(tmp_path, "train.csv")
    folder(tmp_path, "test.csv", text="a;b\n1;2\n")
    with pytest.raises(DataError, match=r"delimiters differ \(train.csv ',', test.csv ';'\)"):
        layout.find(tmp_path)
