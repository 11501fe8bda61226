"""Errors of single price predictions."""

import math

from finetune.params import PriceScore


def price_error(prediction: float, price: float, options: PriceScore) -> dict[str, float]:
    """`absolute_error` in USD, and `hit`: 100 where it is within `hit_usd` or `hit_share`, else 0.

    Raises:
        ValueError: one of the two is not finite.
    """
    if not (math.isfinite(prediction) and math.isfinite(price)):
        raise ValueError(f"prediction {prediction} or price {price} is not finite")
    error = abs(prediction - price)
    hit = error <= options.hit_usd or error <= options.hit_share * price
    return {"absolute_error": error, "hit": 100.0 if hit else 0.0}
