"""The tokens of prices, where a tokenizer has one for each."""

from transformers import PreTrainedTokenizerBase

PRICES = range(1000)


def price_tokens(tokenizer: PreTrainedTokenizerBase) -> list[int] | None:
    """The token of each integer price 0…999; None where the tokenizer splits some of them."""
    ids = [tokenizer(str(price), add_special_tokens=False)["input_ids"] for price in PRICES]
    return [token for (token,) in ids] if all(len(token) == 1 for token in ids) else None
