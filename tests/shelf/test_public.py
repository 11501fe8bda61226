import pytest

from finetune.core.errors import UserError
from finetune.shelf import public


def test_folders_outside_the_repository_are_reduced_to_their_last():
    params = {
        "data": {"root": "/home/somebody/mine", "watch": "../shared/mine", "seed": 7},
        "model": {"name": "models/embedded", "watch": "~/models/llama"},
        "tasks": {"a": {"prompt": {"cue": "/slash\nin a text"}, "baselines": ["/opt/x", "lead3"]}},
    }
    assert public.params(params) == {
        "data": {"root": "…/mine", "watch": "…/mine", "seed": 7},
        "model": {"name": "models/embedded", "watch": "…/llama"},
        "tasks": {"a": {"prompt": {"cue": "/slash\nin a text"}, "baselines": ["…/x", "lead3"]}},
    }


@pytest.mark.parametrize(
    ("root", "shown"),
    [("data/mine", "…/mine"), ("mine", "mine"), ("/a/b/", "…/b"), (None, None), ("…/b", "…/b")],
)
def test_the_folder_of_the_data_is_reduced_wherever_it_is(root, shown):
    assert public.params({"data": {"root": root}}) == {"data": {"root": shown}}
    assert public.by_key({"data.root": root}) == {"data.root": shown}


def test_metrics_keep_numbers_and_what_describes_a_protocol():
    metrics = {
        "samsum": {
            "rouge1": 59.5,
            "n": 200,
            "missing": None,
            "protocol": {"decode": "greedy", "sentences": "pysbd 0.3.4"},
            "run": {"device": "CPU, 2 threads"},
            "predictions_hash": "7a1809cc5c45",
            "by_band": [1.0, 2.0],
        }
    }
    assert public.metrics(metrics) == (metrics, [])


def test_other_texts_are_left_out_and_named():
    metrics = {
        "samsum": {
            "advice": "a sentence",
            "pairs": [{"a": "a text"}, {"a": "another"}],
            "by_category": {"garden tools": 1.0},
            "input_hash": "no hash",
            "protocol": {"prompt": "a\nb"},
            "worst": float("inf"),
        }
    }
    kept, left_out = public.metrics(metrics)
    assert kept == {"samsum": {"by_category": {}, "protocol": {}}}
    assert left_out == [
        f"samsum.{name}"
        for name in ("advice", "pairs", "by_category.*", "input_hash", "protocol.prompt", "worst")
    ]


@pytest.mark.parametrize("text", ["step\tloss\n1\ta text\n", "a step\tloss\n1\t2\n"])
def test_a_curve_is_of_numbers(text):
    public.check_curve("step\tloss\n1\t2.5\n2\t\n", "x")
    with pytest.raises(UserError, match="x: holds something that is no number"):
        public.check_curve(text, "x")


@pytest.mark.parametrize(
    ("section", "key", "text", "is_kept"),
    [
        ("protocol", "sentences", "pysbd 0.3.4", True),
        ("protocol", "target", "log price", True),
        ("protocol", "covers", "250 of 2000 rows", True),
        ("protocol", "source", "Jarmila brings the marzipan", False),
        ("protocol", "source", "two\nlines", False),
        ("protocol", "decode", "x" * 33, False),
        ("draws", "of", "examples and samples", True),
        ("draws", "of", "marzipan", False),
        ("scores", "of", "examples", False),
        ("run", "device", "CPU (AMD EPYC), 2 threads", True),
        ("run", "device", "x" * 101, False),
        ("run", "device", "CPU\nJarmila", False),
        ("scores", "device", "CPU", False),
        ("run", "engine", "transformers", True),
        ("scores", "engine", "transformers", False),
    ],
)
def test_texts_have_the_form_of_what_the_pipeline_writes(section, key, text, is_kept):
    metrics = {"samsum": {section: {key: text}}}
    left_out = [] if is_kept else [f"samsum.{section}.{key}"]
    kept = metrics if is_kept else {"samsum": {section: {}}}
    assert public.metrics(metrics) == (kept, left_out)
