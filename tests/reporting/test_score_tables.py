from finetune.reporting import leaderboard, score_tables
from finetune.reporting.artifacts import TaskArtifacts


def artifacts(kind, n: int = 4, **tuned: object) -> TaskArtifacts:
    ends = {"error": {"low": 1.0, "high": 3.0}}
    model = {"error": 2.0, "n": 4, "interval": ends, "validation": {"error": 2.5, "n": 9}}
    human = {"error": 2.0, "n": n, "interval": ends, "protocol": {"oracle": True}}
    metrics = {"baselines": {"human": human}, "tuned": {**model, **tuned}}
    return TaskArtifacts(task="towns", kind=kind, metrics=metrics)


def plain(rows: list[list[str]]) -> list[list[str]]:
    return [[cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in rows]


def test_the_primary_score_stands_beside_the_one_that_experiments_are_chosen_by(kind):
    of = artifacts(kind, guessed=40.0)
    entries = leaderboard.entries(of)
    table = score_tables.scores(of, entries)
    assert table.head == ["", "mean error (km)", "validation", "GUESSED (%)"]
    assert plain(table.rows) == [
        ["human (oracle)", "2.00 [1.00, 3.00]", "–", "–"],
        ["tuned", "2.00 [1.00, 3.00]", "2.50", "40.0"],
    ]
    titles = dict(score_tables.meanings(of, entries))
    assert titles["mean error"] == "how far off an answer is"
    assert titles["validation"].startswith("mean error over the validation rows")


def test_numbers_of_rows_are_given_where_they_differ(kind):
    of = artifacts(kind, n=2)
    table = score_tables.scores(of, leaderboard.entries(of))
    assert table.head[:2] == ["", "rows"]
    assert [row[1] for row in table.rows] == ["2", "4"]


def test_models_of_several_draws_have_their_lowest_and_highest_scores(kind):
    of = artifacts(kind)
    assert score_tables.draws(of, leaderboard.entries(of)).rows == []
    drawn = {"n": 3, "of": "samples", "error": {"low": 1.5, "high": 2.25}}
    of = artifacts(kind, draws=drawn)
    table = score_tables.draws(of, leaderboard.entries(of))
    assert table.head == ["over draws", "mean error (km)"]
    assert plain(table.rows) == [["tuned, 3 draws of samples", "1.50 to 2.25"]]
    drawn["error"]["high"] = 1.5
    assert plain(score_tables.draws(of, leaderboard.entries(of)).rows)[0][1] == "1.50"


def test_gains_stand_with_the_rows_that_they_are_of(kind):
    gain = {"error": {"mean": -5.0, "low": -6.0, "high": -4.0, "n": 3}}
    table = score_tables.gains(artifacts(kind, gain=gain))
    assert plain(table.rows) == [["mean error (km)", "−5.00 [−6.00, −4.00]", "3"]]


def test_answers_are_counted_where_some_are_missing(kind):
    some = {"no_answer": 1, "answered": {"error": 1.5, "n": 3}}
    of = artifacts(kind, **some)
    of.metrics["base"] = {"n": 4, "no_answer": 4, "interval": {}, "validation": {"n": 9}}
    entries = leaderboard.entries(of)
    table = score_tables.scores(of, entries)
    assert table.head == ["", "mean error (km)", "no answer", "where answered", "validation"]
    assert plain(table.rows) == [
        ["human (oracle)", "2.00 [1.00, 3.00]", "–", "–", "–"],
        ["tuned", "2.00 [1.00, 3.00]", "1 of 4 (25 %)", "1.50", "2.50"],
        ["base model", "–", "4 of 4 (100 %)", "–", "–"],
    ]
    titles = dict(score_tables.meanings(of, entries))
    assert titles["where answered"] == "mean error over the rows that it answered"


def test_a_score_that_is_no_metric_of_the_kind_goes_by_its_key(kind, known):
    published = known.tasks["price"].published[0].model_copy(update={"scores": {"own_score": 9.5}})
    options = known.tasks["price"].model_copy(update={"published": [published]})
    (row,) = score_tables.published(artifacts(kind), options).rows
    assert row[1] == '<span class="score">own score 9.5</span>'
    gain = {"own_score": {"mean": 1.0, "low": 0.5, "high": 2.0}}
    assert score_tables.gains(artifacts(kind, gain=gain)).rows[0][0] == "own score"
