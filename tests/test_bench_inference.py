"""bench/inference.py: which ways run, how answers are compared, and the table; no model is run."""

import importlib.util
import sys

import pytest
from doc_pages import ROOT

# Last: the folder has a module with a name of the standard library's.
sys.path.append(str(ROOT / "bench"))
import interleaved

# By its path: a folder of tests has its name.
spec = importlib.util.spec_from_file_location("bench_inference", ROOT / "bench/inference.py")
inference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(inference)


def test_ours_always_runs_and_is_the_first():
    assert inference.chosen_ways(None, "samsum", None) == [
        "ours", "one-by-one", "batched", "dfb0841",
    ]  # fmt: skip
    assert inference.chosen_ways(["batched"], "price", None) == ["ours", "batched"]


def test_ways_that_give_no_such_answers_are_left_out():
    assert "digits" in inference.chosen_ways(None, "price", None)
    assert "digits" not in inference.chosen_ways(None, "samsum", None)
    assert "vllm" in inference.chosen_ways(None, "samsum", "python")
    assert "vllm" not in inference.chosen_ways(None, "price", "python")


def test_every_second_round_goes_backwards():
    order = []
    measured = interleaved.in_turns(
        ["a", "b"], 3, lambda way: order.append(way) or {"n": len(order)}, lambda *_: None
    )
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert measured == {"a": [{"n": 1}, {"n": 4}, {"n": 5}], "b": [{"n": 2}, {"n": 3}, {"n": 6}]}


def test_a_process_that_fails_is_told_by_its_last_line():
    assert interleaved.in_process(["-c", "print('a'); print('{\"n\": 1}')"]) == {"n": 1}
    assert interleaved.in_process(["-c", "raise ValueError('why')"]) == {
        "failed": "ValueError: why"
    }


def test_texts_agree_where_they_are_equal_and_likelihoods_within_the_tolerance():
    ours = [["A.", 10.0], ["B.", 5.0], ["C.", 1.0]]
    near = [["A.", 10.0005], ["B.", 5.0], ["C.", 1.0]]
    assert inference.agreement(ours, [near]) == ("3 of 3 rows; log-likelihoods within 5e-04", [])
    far = [["A.", 10.5], ["D.", 5.0], ["C.", 1.0]]
    said, lines = inference.agreement(ours, [near, far])
    assert said == "1 of 3 rows; log-likelihoods within 5e-01"
    assert lines == ["row 0: 5.0e-01 from ours", "row 1: 'D.', ours 'B.'"]


def test_distributions_agree_where_each_probability_does():
    ours = [[0.25, 0.75], [1.0, 0.0]]
    said, lines = inference.agreement(ours, [[[0.25, 0.75], [0.999, 0.001]]])
    assert said == "1 of 2 rows; probabilities within 1e-03"
    assert lines == ["row 1: 1.0e-03 from ours"]


@pytest.fixture
def runs():
    """Two rounds of three ways, of which one fails."""
    answers = [["A.", 1.0], ["B.", 2.0]]
    other = [["A.", 1.0], ["C.", 2.0]]

    def run(seconds, answers):
        return {"seconds": seconds, "cpu_seconds": 2 * seconds, "answers": answers}

    return {
        "ours": [run(1.0, answers), run(2.0, answers)],
        "batched": [run(2.0, other), run(6.0, other)],
        "dfb0841": [{"failed": "no memory"}, {"failed": "no memory"}],
    }


def test_the_table_has_medians_with_their_spread_and_says_what_does_not_agree(runs):
    printed = inference.report(runs, {"rows": 2, "what": "samsum, a model"}, "samsum")
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines()]
    assert printed.startswith("samsum, a model\n\n| way")
    assert cells[4:8] == [
        ["ours", "1.50 (1.00–2.00)", "1.00 (1.00–1.00)", "1.00 (1.00–1.00)", "–"],
        [
            "transformers, padded batches", "0.67 (0.33–1.00)", "2.50 (2.00–3.00)",
            "2.50 (2.00–3.00)", "1 of 2 rows; log-likelihoods within 0e+00",
        ],
        ["this repository at dfb0841", "–", "–", "–", "no memory"],
        ["vLLM", "–", "–", "–", "not run"],
    ]  # fmt: skip
    assert printed.endswith("transformers, padded batches: row 1: 'C.', ours 'B.'")


def test_a_commit_that_is_not_here_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match="no commit 0000000 here"):
        inference._extract("0" * 40, tmp_path)
