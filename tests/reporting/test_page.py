import re
import shutil

import pytest

from finetune.core.files import read_json, read_jsonl, write_json, write_jsonl
from finetune.reporting import page
from finetune.reporting.artifacts import TaskArtifacts

ELEMENT = re.compile(
    r"<script|<link(?! rel=\"icon\" href=\"data:,\")|<img|<iframe|@import|url\(http"
)


def text(html: str) -> str:
    """What a person reads, with single blanks."""
    html = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", html))


def test_nothing_is_loaded_and_nothing_of_the_data_becomes_markup(html):
    assert not ELEMENT.search(html)
    assert "&lt;script&gt;document.title" in html
    assert "&lt;b&gt;tools&lt;/b&gt;" in html
    assert "<b>tools" not in html


def test_the_same_run_gives_the_same_page(html, finished, render):
    assert render(finished) == html


def test_ids_are_of_one_element_each_and_every_reference_has_one(html):
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    referred = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', html)
    assert {a or b for a, b in referred} <= set(ids)


def test_every_section_speaks_of_every_task(html):
    sections = html.split('<section id="')[1:]
    assert [part.partition('"')[0] for part in sections] == [
        "answer", "quality", "training", "inputs",
    ]  # fmt: skip
    for part in sections:
        assert part.count("<h3>samsum ") == part.count("<h3>price ") == 1


def test_oracles_and_partial_baselines_are_marked_and_published_figures_set_apart(html):
    said = text(html)
    assert "oracle3 (oracle)" in said
    assert "oracle: the best three lines" in said
    assert "12 of 24 rows only; one person" in said
    assert "human answers 12 of 24 rows" in said
    assert "Published, on real data: not comparable" in said
    assert "the best baseline by validation, longest3" in said
    assert "the best baseline by validation, boosting" in said


def test_validation_scores_stand_beside_those_of_test(html):
    assert text(html).count("over the validation rows, by which experiments are chosen") == 2


def test_each_kind_has_its_own_part(html):
    said = text(html)
    assert "summaries of dialogues" in said
    assert "From the best to the worst" in said
    assert "prices of products" in said
    assert "The worst misses of the tuned model" in said
    assert "plus 2 times the expected error in 100 USD" in said


def test_the_data_card_stands_in_the_page_and_without_one_nothing_does(html, run_folder, render):
    said = text(html)
    assert said.count("Train and test cannot be told apart by their inputs.") == 2
    assert said.count("Data card") == 2
    assert "Speakers of a dialogue, rows by value" in said
    assert "Rows by category" in said
    assert '<pre class="scroll" tabindex="0">Lamp' in html
    (run_folder / "metrics/price/data_card.json").unlink()
    assert "Data card" not in text(render(run_folder, ("price",)))


def test_what_became_of_general_text_is_told_of_every_task(html):
    said = text(html)
    assert said.count("Did it forget?") == 2
    assert said.count("To the tuned model a page of general text became less likely") == 2


def test_training_says_what_the_run_was_advised(run_folder, render):
    file = run_folder / "metrics/price/train.json"
    metrics = read_json(file)
    metrics["price"]["train"]["advice"] = "Validation loss was lowest at step 20: fewer epochs."
    write_json(file, metrics)
    said = text(render(run_folder, ("price",)))
    assert "Validation loss was lowest at step 20: fewer epochs." in said
    assert "unknown: set run.usd_per_hour" in said


def test_hashes_and_versions_are_given(html):
    said = text(html)
    assert "model.safetensors sha256" in said
    assert re.search(r"trained weights sha256 [0-9a-f]{64}", said)
    assert "they were not there when this page was made" in said  # of price
    assert re.search(r"transformers \d", said)


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("metrics/price/baselines.json", "No baselines were run"),
        ("metrics/price/tuned.json", "have not been measured yet"),
        ("metrics/price/base.json", "have not been measured yet"),
        ("metrics/price/groups.tsv", "No groups.tsv was written"),
        ("metrics/price/train.json", "No training run has written"),
        ("metrics/price/curves", "No curves of the losses"),
        ("metrics/price/data.json", "No counts of the data"),
        ("metrics/price", "No scores were written yet"),
        ("predictions/price/scored/few_shot.jsonl", "with examples in its prompt"),
        ("predictions/price/scored/tuned.jsonl", "No predictions of the tuned model"),
        ("predictions/price/scored/base.jsonl", "No row was answered by both models"),
        ("predictions/price", "No predictions of the tuned model"),
        ("data/prepared/price", "No prepared rows"),
        ("data/raw/price", "data/raw was not there"),
        ("models", "its weights were not there"),
    ],
)
def test_what_is_missing_is_said(run_folder, render, missing, told):
    path = run_folder / missing
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    assert told in text(render(run_folder, ("price",)))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_rows_are_enough(run_folder, render, count):
    for file in [*run_folder.glob("predictions/**/*.jsonl"), *run_folder.glob("data/**/*.jsonl")]:
        write_jsonl(file, read_jsonl(file)[:count])
    assert f"of {count} rows" in text(render(run_folder))


def test_a_kind_that_the_report_has_never_heard_of_has_its_page(kind, known):
    rows = [{"id": i, "absolute_error": float(i)} for i in range(3)]
    ends = {"error": {"low": 0.5, "high": 1.5}}
    scores = {"error": 1.0, "n": 3, "empty": 1, "interval": ends}
    gain = {"error": {"mean": 0.0, "low": -1.0, "high": 1.0, "p": 0.9}}
    towns = TaskArtifacts(
        task="towns",
        kind=kind,
        metrics={
            "baselines": {"nearest": scores},
            "base": scores,
            "tuned": {**scores, "gain": gain},
            "train": {"steps": 1},
        },
        predictions={"base": rows, "tuned": rows},
        rows={"train": [{"town": "Ulm"}], "test": [{"town": "Hof"}]},
    )
    options = known.tasks["price"]
    html = page.page([towns], {"towns": options}, {}, known.bootstrap, known.model, None)
    said = text(html)
    assert "No significant difference: the mean error went from 1.00 to 1.00 km" in said
    for own in ("distances of towns", "towns is far.", "Letters of a town", "no map"):
        assert own in said
    assert "<b>towns</b>" in html
    assert "mae 53.7" in said  # published, and none of its metrics


def test_one_task_alone(finished, render):
    html = render(finished, ("price",))
    assert "samsum" not in html
    assert "<h3>price " in html


def test_rows_without_groups_distribution_or_spread(run_folder, render):
    """Constant predictions, all in one price, by a model that gave no distribution."""
    for name in ("base", "tuned"):
        file = run_folder / f"predictions/price/scored/{name}.jsonl"
        rows = [
            {**row, "prediction": 50.0, "category": None, "absolute_error": 0.0, "reference": 50.0}
            for row in read_jsonl(file)
        ]
        write_jsonl(file, [{k: v for k, v in row.items() if k != "pit"} for row in rows])
    groups = run_folder / "metrics/price/groups.tsv"
    lines = [line for line in groups.read_text().splitlines(True) if "category" not in line]
    groups.write_text("".join(lines))
    said = text(render(run_folder, ("price",)))
    assert "By category there are no groups to compare." in said
    assert "Predictions hold no `pit`" in said


def test_a_huge_error_still_fits(run_folder, render):
    file = run_folder / "metrics/price/base.json"
    metrics = read_json(file)
    metrics["price"]["base"] |= {"mae": 3.5e12}
    metrics["price"]["base"]["interval"]["mae"] = {"low": 1e12, "high": 9e12}
    write_json(file, metrics)
    html = render(run_folder, ("price",))
    assert "3.5e+12" in html
    assert "log axis" in html


def test_few_shot_may_be_off(run_folder, render):
    (run_folder / "predictions/price/scored/few_shot.jsonl").write_text("")
    file = run_folder / "metrics/price/base.json"
    metrics = read_json(file)
    del metrics["price"]["few_shot"]
    write_json(file, metrics)
    assert "examples in its prompt" not in text(render(run_folder, ("price",)))


def test_the_first_lines_answer_for_each_task(html):
    top = text(html).partition("Results")[0]
    assert "better than the base model , ROUGE-1" in top
    assert "the best baseline by validation, boosting, has" in top
    assert "Another seed would score differently" in top


def test_only_the_source_that_was_used_is_among_the_parameters(html):
    told = html.rpartition("Parameters</summary>")[2]
    assert "embedded: dialogues" in told
    assert "revision:" not in told
    assert "published:" not in told


def test_the_page_may_load_and_run_nothing(html):
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    head = html.partition("<style>")[0]
    assert "Content-Security-Policy" in head  # what stands before it is not under it


def test_no_folder_of_the_one_who_made_it_is_shown(finished, known, render, tmp_path):
    home = tmp_path / "someone"
    model = known.model.model_copy(update={"name": f"{home}/a-model", "watch": f"{home}/a-model"})
    data = known.data.model_copy(update={"root": f"{home}/rows"})
    own = known.model_copy(update={"model": model, "data": data})
    html = render(finished, own=own)
    assert "someone" not in html
    assert "The base model is …/a-model." in html
    assert "…/rows" in html
