import json

import numpy as np
import pytest
from rated_workspace import BASE, TUNED, page_content, preferring_tuned

from finetune import cli, ledger
from finetune.core.errors import UserError
from finetune.rating import command, compare_command
from finetune.rating.command import Options as PageOptions
from finetune.rating.compare_command import Options


def rated(workspace, *names: str, **options: object) -> None:
    """A page, the same each time: what is tested is not to depend on luck."""
    command.run(workspace.folder, names or [BASE, TUNED], PageOptions(**{"seed": 7, **options}))


def compared(workspace, capsys, *files, names=(BASE, TUNED), **options) -> dict:
    capsys.readouterr()
    code = compare_command.run(
        workspace.folder, names, files, Options(**{"style": "json", **options})
    )
    (task,) = (said := json.loads(capsys.readouterr().out))["tasks"]
    return {**said, **task, "code": code}


def test_a_planted_preference_is_found(workspace, capsys):
    rated(workspace)
    files = [
        workspace.ratings(workspace.page, name, preferring_tuned(0.9, ties=0.2, seed=seed))
        for seed, name in enumerate(("Ann", "Bob"))
    ]
    found = compared(workspace, capsys, *files)
    assert (found["preferred"], found["rows"], found["code"]) == (TUNED, 50, 0)
    assert found["p"] < 1e-6
    # 80 % of 0.9, and a tie in the rest: 82.
    assert found["win_rate"]["low"] < 82 < found["win_rate"]["high"]
    assert [rater["name"] for rater in found["raters"]] == ["Ann", "Bob"]
    assert sum(found["ratings"].values()) == 100
    assert (found["answered_alike"], found["of_rows"]) == (10, 60)
    # The raters were told nothing of sides, and these were drawn.
    assert found["left"]["low"] < 50 < found["left"]["high"]
    # They decide by the model and no more: beyond the common preference they do not agree.
    assert found["agreement"]["interval"]["low"] < 0.2


def test_named_the_other_way_round_it_is_the_same_and_fails_where_ci_asks(workspace, capsys):
    rated(workspace)
    file = workspace.ratings(workspace.page, "Ann", preferring_tuned(0.9, ties=0.1))
    there = compared(workspace, capsys, file)
    back = compared(workspace, capsys, file, names=(TUNED, BASE), fail_if_worse=True)
    assert there["code"] == 0
    assert (back["code"], back["preferred"]) == (1, TUNED)
    assert there["win_rate"]["mean"] == pytest.approx(100 - back["win_rate"]["mean"])
    assert there["win_rate"]["low"] == pytest.approx(100 - back["win_rate"]["high"], abs=1e-3)
    assert there["p"] == back["p"]


def test_raters_who_flip_coins_are_not_taken_for_a_preference(workspace, capsys):
    rated(workspace)
    verdicts = []
    for seed in range(10):
        file = workspace.ratings(workspace.page, "Ann", preferring_tuned(0.5, seed=seed))
        (workspace.folder / "metrics/looks.json").unlink(missing_ok=True)
        found = compared(workspace, capsys, file)
        verdicts.append((found["preferred"], found["win_rate"]["low"] < 50))
    assert verdicts.count((None, True)) >= 9


def test_who_always_takes_the_left_is_seen_and_prefers_nobody(workspace, capsys):
    rated(workspace)
    file = workspace.ratings(workspace.page, "Ann", lambda *_: "left")
    found = compared(workspace, capsys, file)
    assert found["left"]["mean"] == 100
    assert found["left"]["low"] > 90
    assert 20 < found["win_rate"]["mean"] < 80


def test_raters_who_agree_do_not_make_luck_with_sides_look_like_a_habit(workspace, capsys):
    rated(workspace)
    # Nobody looks at sides: all prefer the same answers, which the draw has put where they stand.
    files = [
        workspace.ratings(workspace.page, name, preferring_tuned(0.9, seed=1))
        for name in ("Ann", "Bob", "Cleo")
    ]
    assert (
        compared(workspace, capsys, *files)["left"] == compared(workspace, capsys, files[0])["left"]
    )


def test_raters_may_have_pages_of_their_own(workspace, capsys):
    files = []
    for seed, name in enumerate(("Ann", "Bob")):
        rated(workspace, rows=30, seed=seed)
        files.append(workspace.ratings(workspace.page, name, preferring_tuned(1, seed=seed)))
    found = compared(workspace, capsys, workspace.folder / "ratings")
    assert found["win_rate"]["mean"] == 100
    assert 30 < found["rows"] <= 50
    assert found["agreement"]["rows"] == 60 - found["rows"]
    assert found["agreement"]["alpha"] is None


def test_skipped_and_repeated_ratings_are_counted(workspace, capsys):
    rated(workspace)
    skipping = iter(["skip"] * 5 + ["tie"] * 45)
    first = workspace.ratings(workspace.page, "Ann", lambda *_: next(skipping))
    again = first.rename(first.with_name("earlier.jsonl"))
    file = workspace.ratings(workspace.page, "Ann", preferring_tuned(1), at="2026-02-02T00:00:00Z")
    found = compared(workspace, capsys, again)
    assert (found["skipped"], found["rows"], found["preferred"]) == (5, 45, None)
    assert (found["win_rate"]["mean"], found["p"]) == (50, 1)
    found = compared(workspace, capsys, again, file)
    assert (found["replaced"], found["skipped"], found["win_rate"]["mean"]) == (50, 0, 100)


def test_people_are_held_against_the_primary_score(workspace, capsys):
    rated(workspace)
    score = {
        row["id"]: row["rouge1"]
        for row in map(
            json.loads,
            (workspace.folder / "predictions/samsum/scored/tuned.jsonl").read_text().splitlines(),
        )
    }
    lengths = {
        item["row"]: (len(item["left"]), len(item["right"]))
        for item in page_content(workspace.page.read_text())["items"]
    }

    def longest(row: str, _: str) -> str:
        left, right = lengths[row]
        assert score[row] in (left, right)  # the workspace scores by length
        return "left" if left > right else "right"

    found = compared(workspace, capsys, workspace.ratings(workspace.page, "Ann", longest))
    differing = sum(left != right for left, right in lengths.values())
    assert found["metric"]["mean"] == 100
    longer = [
        len(workspace.tuned[row]) == max(both)
        for row, both in lengths.items()
        if both[0] != both[1]
    ]
    by_chance = np.mean(longer) ** 2 + (1 - np.mean(longer)) ** 2
    assert found["metric"]["by_chance"] == pytest.approx(100 * by_chance, abs=1e-3)
    assert (found["metric"]["score"], found["metric"]["rows"]) == ("rouge1", differing)


def test_each_look_at_further_ratings_is_written_down_and_counted_once(workspace, capsys, caplog):
    rated(workspace)
    file = workspace.ratings(workspace.page, "Ann", preferring_tuned(0.8))
    for count, files in ((1, [file]), (1, [file]), (2, None)):
        if files is None:
            files = [file, workspace.ratings(workspace.page, "Bob", preferring_tuned(0.8, seed=1))]
        found = compared(workspace, capsys, *files)
        assert found["looks"] == count
    one, other = ledger.read(workspace.folder)
    assert (one.before.runs, one.after.runs) == ([BASE], [TUNED])
    assert one.score.startswith("ratings ")
    assert one.score != other.score
    assert found["p_adjusted"] >= found["p"]
    assert "2 looks" not in caplog.text


def test_validation_rows_are_no_look(workspace, capsys):
    workspace.write(["a"] * 30, ["b"] * 30, split="validation")
    rated(workspace, split="validation")
    file = workspace.ratings(workspace.page, "Ann", preferring_tuned(0.9))
    found = compared(workspace, capsys, file, split="validation")
    assert (found["rows"], found["preferred"]) == (30, TUNED)
    assert ledger.read(workspace.folder) == []
    with pytest.raises(UserError, match=r"Ann\.jsonl: line 1: is of validation rows; add --val"):
        compared(workspace, capsys, file)


@pytest.mark.parametrize("changed", ["answer", "input", "row"])
def test_ratings_of_other_answers_are_refused(workspace, capsys, changed):
    rated(workspace)
    file = workspace.ratings(workspace.page, "Ann", preferring_tuned(0.9))
    if changed == "answer":
        # As after another training: the ratings are of what was, not of what is.
        workspace.write([f"Base of {n}" for n in range(60)], [f"New {n}" for n in range(60)])
    else:
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        lines[3][changed] = "0"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UserError) as raised:
        compared(workspace, capsys, file)
    said = str(raised.value)
    count = 50 if changed == "answer" else 1
    assert "the rated answers are not those of workspace:base and workspace" in said
    assert f"as of {count} of 50 ratings" in said
    assert "\n" not in said


def test_what_the_tables_say(workspace, capsys):
    rated(workspace)
    files = [
        workspace.ratings(workspace.page, name, preferring_tuned(0.9, ties=0.1, seed=seed))
        for seed, name in enumerate(("Ann", "Bob"))
    ]
    compare_command.run(workspace.folder, [BASE, TUNED], files, Options())
    said = capsys.readouterr().out
    assert "workspace:base → workspace, as people rate them" in said
    assert "workspace is preferred" in said
    assert "raters agree in" in said
    assert "by chance it would be" in said
    assert "10 of 60 rows are answered alike by both" in said
    compare_command.run(workspace.folder, [BASE, TUNED], files[:1], Options(style="github"))
    said = capsys.readouterr().out
    assert "| samsum |" in said
    assert "so how far raters agree is not known" in said


def test_options_that_do_not_go_together_are_told(workspace, monkeypatch):
    monkeypatch.chdir(workspace.folder)
    (workspace.folder / "dvc.yaml").touch()
    for more, said in (
        (["--over", "lora.r"], "--over does not go with --ratings"),
        (["--by-cluster"], "--by-cluster does not go with --ratings"),
    ):
        options = cli.parser().parse_args(["compare", *more, BASE, "--ratings", "x.jsonl"])
        with pytest.raises(UserError, match=said):
            options.run(workspace.folder, options)
    with pytest.raises(UserError, match="--ratings: are of two runs, not of 3: a, b, c"):
        compare_command.run(workspace.folder, ["a", "b", "c"], [], Options())


def test_a_win_rate_over_rows_is_held_by_its_interval(workspace, capsys):
    rated(workspace)
    held = []
    for seed in range(6):
        names = ("Ann", "Bob", "Cleo")
        files = [
            workspace.ratings(workspace.page, name, preferring_tuned(0.65, seed=100 * seed + n))
            for n, name in enumerate(names)
        ]
        interval = compared(workspace, capsys, *files)["win_rate"]
        held.append(interval["low"] <= 65 <= interval["high"])
    assert np.sum(held) >= 5
