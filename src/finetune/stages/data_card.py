"""data_card: what the prepared rows are like, and whether train and test are alike."""

from finetune.core import entry, paths
from finetune.core.files import read_json, write_json, write_text
from finetune.core.params import StageParams
from finetune.core.rows_file import prepared
from finetune.describing import card, markdown
from finetune.describing.card import Options
from finetune.tasks import registry


def run(params: StageParams, task: str) -> None:
    """Write the card, for people and for the report."""
    kind, prompt = params.task.kind, params.task.prompt
    of_kind = registry.rows(kind, prompt)
    splits = {split: prepared(task, split, of_kind.Row) for split in paths.SPLITS}
    described = card.describe(
        splits,
        registry.data_card(kind, prompt).CARD,
        read_json(paths.raw(task) / "source.json"),
        Options(
            params.data.seed,
            params.bootstrap.confidence,
            params.data.phone_regions,
            params.data.mask_pii,
        ),
    )
    counts = read_json(paths.metrics(task, "data"))[task]["data"]
    write_json(paths.data_card(task), described)
    write_text(paths.data_card_page(task), markdown.page(task, described, counts))


if __name__ == "__main__":
    entry.main(run)
