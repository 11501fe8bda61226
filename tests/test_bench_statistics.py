"""bench/statistics.py: every table has its form, and the figures that it was built to show."""

import re
import subprocess
import sys

import numpy as np
import pytest
from doc_pages import ROOT

# Last, as the program itself does: the folder has a module with a name of the standard library's.
sys.path.append(str(ROOT / "bench"))
from simulations import choosing, command, judging, populations, shipping, tables

from finetune.scoring import crossed

FIGURE = re.compile(r"-?\d+\.\d+ ± \d+\.\d+")


@pytest.mark.parametrize("name", command.TABLES)
def test_every_table_has_figures_with_their_standard_errors(name, capsys):
    command.main(["--only", name, "--draws", "2"])
    printed = capsys.readouterr().out
    assert printed.startswith(f"### {name}\n")
    assert "2 draws; ± is their standard error" in printed
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    for line in lines[2:]:
        assert FIGURE.search(line), line


def test_the_same_seed_gives_the_same_figures_whichever_tables_are_printed(capsys):
    command.main(["--only", "few_rows", "clusters", "--draws", "2"])
    together = capsys.readouterr().out
    command.main(["--only", "clusters", "--draws", "2"])
    alone = capsys.readouterr().out
    without_time = re.compile(r"<!--.*?-->")
    assert without_time.sub("", alone) in without_time.sub("", together)


def test_rates_are_percentages_with_their_standard_errors():
    assert tables.rate([True] * 5 + [False] * 95) == "5.0 ± 2.2"
    assert tables.average([1.0, 3.0]) == "2.00 ± 0.71"


def test_differences_of_two_runs_vary_as_is_said():
    rng = np.random.default_rng(0)
    of_rows = populations.ease(rng, 20_000)
    for agreed in (0.0, 0.5):
        before, after = (populations.points(rng, of_rows, 3, 0.5, agreed=agreed) for _ in range(2))
        assert (after[0] - before[0]).std() == pytest.approx(populations.ROW_SD, rel=0.02)


def test_rows_alone_err_where_seeds_vary_and_rows_with_seeds_do_not():
    rng = np.random.default_rng(1)
    errors = {1: 0, 5: 0}
    for _ in range(300):
        of_rows = populations.ease(rng, 819)
        for seeds in errors:
            before, after = (populations.points(rng, of_rows, seeds, 1.0) for _ in range(2))
            errors[seeds] += judging.decided(crossed.difference(before, after))
    assert errors[1] > 120
    assert errors[5] < 30


def test_the_best_of_twenty_flatters():
    rng = np.random.default_rng(2)
    chosen = [choosing._choose(rng, 100, 200, 0.0, 1) for _ in range(20)]
    assert np.mean([each.flattered for each in chosen]) > 1


def test_what_is_worse_or_forgets_is_not_shipped():
    rng = np.random.default_rng(3)
    for truth in shipping.DIFFERENT[-3:]:
        assert shipping._decision(rng, 819, (5, 5), truth) == "DON'T SHIP"


def test_other_scripts_of_the_folder_get_the_standard_librarys_statistics():
    code = "import sys; sys.path.insert(0, 'bench'); import statistics; print(statistics.median)"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "function median" in found.stdout
