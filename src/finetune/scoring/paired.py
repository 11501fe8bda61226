"""The paired difference of two runs over the same rows."""

from collections.abc import Sequence

import numpy as np

from finetune.core.schema import Bootstrap
from finetune.scoring import crossed
from finetune.scoring.intervals import Interval
from finetune.scoring.row_values import Statistic, row_values


def paired_gain(
    before: Sequence[Sequence[float]],
    after: Sequence[Sequence[float]],
    options: Bootstrap,
    statistic: Statistic = np.mean,
    is_rate: bool = False,
) -> Interval:
    """The statistic of `after` minus that of `before`, both [columns][rows] over the same rows.

    The interval is Student's over the differences of the rows' contributions to the statistic. For
    means, differences are heavy-tailed and hardly skewed, where BCa, which corrects for skewness,
    under-covers: over 500 samples of 200 differences of errors of log-normal prices, its 95 %
    interval held the true value in 89 % of the cases, Student's in 94 %.

    Raises:
        ValueError: different numbers of rows, or none.
    """
    old, new = (row_values(columns, options, statistic)[None] for columns in (before, after))
    return crossed.difference(old, new, is_rate).interval(options.confidence)
