import re

from finetune.files import read_json, write_json
from finetune.reporting.page import page
from finetune.reporting.tables import read, results

KINDS = {"chats": "summarization"}


def section(text: str, title: str) -> str:
    """What stands under a heading, up to the next one, with single blanks."""
    _, _, rest = text.partition(f"{title}\n")
    return re.sub(" +", " ", re.split(r"^#", rest, flags=re.MULTILINE)[0])


def test_a_task_has_its_results_and_its_gain(folder):
    text = page(folder, KINDS, 0.95)
    assert text.startswith("# Report\n")
    assert text.endswith("\n")
    assert results(read(folder, "chats"), "summarization") in text
    assert "95 % bootstrap interval" in text
    assert "90 % bootstrap interval" in page(folder, KINDS, 0.9)
    assert "ROUGE-1 +20.11 [-0.50, 21.50]" in section(text, "## chats")


def test_what_went_wrong_is_counted_for_both_models_and_nothing_else_is(folder):
    rows = section(page(folder, KINDS, 0.95), "### What went wrong, counted").splitlines()[3:]
    assert [row for row in rows if row] == [
        "| prompt truncated | 3 | 3 |",
        "| empty | 11 | |",
        "| hit length cap | | 2 |",
    ]


def test_training_shows_what_it_reached_and_what_it_took(folder):
    text = section(page(folder, KINDS, 0.95), "### Training")
    for row in ("| validation loss | 1.25 |", "| steps | 282 |", "| seconds | 60.5 |"):
        assert row in text
    assert "run" not in text


def test_data_shows_every_count_of_every_split(folder):
    text = section(page(folder, KINDS, 0.95), "### Data")
    for row in ("| rows | train | test |", "| rows | 1500 | 300 |", "| found x | | 7 |",
                "| kept | 1490 | 300 |"):  # fmt: skip
        assert row in text


def test_every_task_has_a_part_in_order(folder):
    for name in ("data", "ladder", "base", "train", "tuned"):
        metrics = read_json(folder / f"chats/{name}.json")["chats"]
        write_json(folder / f"mails/{name}.json", {"mails": metrics})
    text = page(folder, {"mails": "summarization", "chats": "summarization"}, 0.95)
    assert re.findall("^## (.+)", text, re.MULTILINE) == ["mails", "chats"]
