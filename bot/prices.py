"""What requests cost: dollars per million tokens, by model ("pricing" at platform.claude.com, November 2026)."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.usage import Usage

#: Prices of reading a token from the cache and of writing it there (for five minutes), as shares of the input's price.
READ, WRITE = 0.1, 1.25
#: Billionths of a dollar for one web search ($10 per 1,000).
SEARCH = 10_000_000
#: Dollars per million tokens, in billionths of a dollar per token.
_NANO = 1000
_VERSION = re.compile(r"[-@](\d{8}|latest)\Z")
#: Dollars per million tokens. No model costs this much: the amount is in another unit, or isn't one at all.
_DEAREST = 100_000

_FORM = "must be model=input/output in dollars per million tokens, such as my-model=0.20/0.80"


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens; `longer` is the price of a request whose prompt is longer than `over` tokens."""

    input: float
    output: float
    over: int | None = None
    longer: "Price | None" = None


PRICES = {
    "claude-haiku-5-5": Price(0.10, 0.50, over=100_000, longer=Price(0.50, 2.50)),
    "claude-sonnet-5-5": Price(2, 10),
    "claude-opus-5-5": Price(4, 20),
}


class Prices:
    """The known models' prices."""

    def __init__(self, further: Mapping[str, Price] | None = None) -> None:
        """`further` adds to the table, or replaces what is in it."""
        self._prices = {**PRICES, **(further or {})}

    def of(self, model: str) -> Price | None:
        """A model's price; None if it isn't known. A date or `latest` after a known name makes no difference."""
        if found := self._prices.get(model):
            return found
        return self._prices.get(_VERSION.sub("", model))

    def cost(self, model: str, usage: Usage) -> int | None:
        """What a request cost, in billionths of a dollar, rounded up; None if the model's price isn't known.

        `usage` must be one request's: the price may depend on the prompt's length.
        """
        price = self.of(model)
        if price is None:
            return None
        if price.longer and price.over is not None and usage.input + usage.cached + usage.written > price.over:
            price = price.longer
        inputs = usage.input + READ * usage.cached + WRITE * usage.written
        cost = _NANO * (price.input * inputs + price.output * usage.output) + SEARCH * usage.searches
        return math.ceil(round(cost, 3))


def parse(text: str) -> dict[str, Price]:
    """The prices in `model=input/output, …`, in dollars per million tokens. Raises ValueError if it is malformed."""
    found = {}
    for entry in filter(str.strip, text.split(",")):
        model, _, price = entry.partition("=")
        given, _, written = price.partition("/")
        try:
            found[_model(model)] = Price(_usd(given), _usd(written))
        except ValueError:
            raise ValueError(_FORM) from None
    return found


def _model(name: str) -> str:
    if len(name.split()) != 1:
        raise ValueError
    return name.strip()


def _usd(amount: str) -> float:
    usd = float(amount)
    if not 0 <= usd < _DEAREST:
        raise ValueError
    return usd


def dollars(nanodollars: int | None) -> str:
    """An amount as people read it, such as `$0.0042`; says so if no price is known."""
    return "no price known" if nanodollars is None else f"${nanodollars / 1e9:.4f}"
