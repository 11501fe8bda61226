from finetune.core import paths
from finetune.core.schema import ALL
from finetune.data.split import Split
from finetune.scaffold.findings import Findings, table
from finetune.tasks.price.rows import Row

COUNT = "found_price_above_maximum"


def cells(splits: dict[str, Split]) -> list[str]:
    lines = table(Findings("price", splits, 0.0)).splitlines()
    (found,) = [line for line in lines if line.startswith("found price above maximum")]
    return found.removeprefix("found price above maximum").split()


def split(*prices: float, **counts: int) -> Split:
    rows = [Row(id=str(n), text="x", price=price, category=None) for n, price in enumerate(prices)]
    return Split.of(rows, dict(counts))


def test_a_count_of_init_has_the_name_and_the_number_of_data_json():
    drawn = {"train": split(5, 2000), "validation": split(5), "test": split(2000, 3000)}
    assert cells({ALL: split(**{COUNT: 4}), **drawn}) == ["4", "1", "0", "2"]
    # One of the rows above was dropped as a duplicate.
    came = {name: split(5, 2000, **{COUNT: 2}) for name in paths.SPLITS}
    assert cells(came) == ["2", "2", "2"]
