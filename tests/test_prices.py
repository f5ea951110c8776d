"""What requests cost."""

import pytest

from bot.prices import Price, Prices, dollars, parse
from bot.usage import Usage

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("model", "usage", "usd"),
    [
        ("claude-sonnet-5-5", Usage(input=MILLION), 2.0),
        ("claude-sonnet-5-5", Usage(cached=MILLION), 0.2),
        ("claude-sonnet-5-5", Usage(written=MILLION), 2.5),
        ("claude-sonnet-5-5", Usage(output=MILLION), 10.0),
        ("claude-sonnet-5-5", Usage(searches=1000), 10.0),
        ("claude-opus-5-5", Usage(input=MILLION, output=MILLION), 24.0),
        ("claude-haiku-5-5", Usage(input=100_000, output=MILLION), 0.51),
        ("claude-haiku-5-5", Usage(input=100_001, output=0), 0.0500005),
        ("claude-haiku-5-5-20261101", Usage(output=MILLION), 0.5),
        ("claude-haiku-5-5-latest", Usage(output=MILLION), 0.5),
    ],
)
def test_a_request_costs_what_the_list_says(model: str, usage: Usage, usd: float) -> None:
    """By kind of token; a long prompt makes all of it dearer; a date behind the name changes nothing."""
    assert Prices().cost(model, usage) == round(usd * 1e9)


def test_a_model_that_isnt_known_has_no_price() -> None:
    """Neither a new model nor one whose name only begins like a known one's."""
    for model in ("claude-sonnet-6", "claude-sonnet-5-5-mini", "my-model", ""):
        assert Prices().cost(model, Usage(input=1)) is None
    assert dollars(None) == "no price known"


def test_prices_are_added_and_replaced() -> None:
    """BOT_PRICES adds to the table and wins over it; a free model costs nothing rather than having no price."""
    prices = Prices(parse("my-model=0.20/0.80, claude-haiku-5-5=1/2,free=0/0"))
    assert prices.of("my-model") == Price(0.2, 0.8)
    assert prices.cost("claude-haiku-5-5", Usage(input=MILLION)) == 10**9
    assert prices.cost("free", Usage(input=MILLION)) == 0
    assert dollars(prices.cost("my-model", Usage(input=1000, output=1000))) == "$0.0010"


def test_less_than_a_billionth_of_a_dollar_is_one() -> None:
    """Costs are rounded up: many small requests are never free."""
    assert Prices(parse("tiny=0.0001/0")).cost("tiny", Usage(input=1)) == 1
