"""Values for counting, bounding and reporting what requests to models take and cost."""

from dataclasses import dataclass
from enum import StrEnum

#: The share of a limit at which it counts as nearly spent.
NEARLY = 0.8


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and web searches used by requests to a model.

    `input` excludes those `cached` (read from the cache) and `written` (to it).
    """

    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    searches: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input + other.input,
            self.cached + other.cached,
            self.written + other.written,
            self.output + other.output,
            self.searches + other.searches,
        )

    def __mul__(self, times: int) -> "Usage":
        return Usage(
            self.input * times,
            self.cached * times,
            self.written * times,
            self.output * times,
            self.searches * times,
        )

    @property
    def tokens(self) -> int:
        """Tokens of all kinds."""
        return self.input + self.cached + self.written + self.output

    def __str__(self) -> str:
        searches = f", {self.searches} searches" if self.searches else ""
        return f"{self.input} in, {self.cached} from the cache, {self.written} into it, {self.output} out{searches}"


class Purpose(StrEnum):
    """What a request to a model is for."""

    ANSWER = "answer"
    LEARNING = "learning"


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose request it is.

    Attributes:
        account: The account's key.
        user_id: The mem0 user whose daily limit it counts toward: linked accounts share one.
        workspace: Where it was asked, after the platform's name: `slack:T1`.
        event_id: The message that it is for. Once that is forgotten, the request is attributed to nobody.
    """

    account: str
    user_id: str
    workspace: str
    event_id: str = ""

    @classmethod
    def at(cls, account: str, user_id: str, scope: str, event_id: str) -> "Payer":
        """An account in a place of that scope (`bot.model.Place.scope`); direct messages are in its own workspace."""
        kind, *place = scope.split(":")
        workspace = ":".join(place[:2]) if kind in ("public", "members") else account.rpartition(":")[0]
        return cls(account, user_id, workspace, event_id)


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent: tokens, and billionths of a dollar (a cached token of the cheapest model costs ten of them)."""

    tokens: int = 0
    nanodollars: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.tokens + other.tokens, self.nanodollars + other.nanodollars)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.tokens - other.tokens, self.nanodollars - other.nanodollars)


@dataclass(frozen=True, slots=True)
class Metered:
    """One request to a model, as it is counted.

    Attributes:
        usage: What it took; until it ends, the most that it can take.
        nanodollars: What that costs; None if the model's price isn't known.
    """

    payer: Payer
    purpose: Purpose
    model: str
    usage: Usage
    nanodollars: int | None

    @property
    def spent(self) -> Spent:
        """What counts toward the limits."""
        return Spent(self.usage.tokens, self.nanodollars or 0)


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be spent in a day (UTC), in all and by each person; None is no limit."""

    nanodollars: int | None = None
    tokens: int | None = None
    person_nanodollars: int | None = None
    person_tokens: int | None = None

    def share(self, spent: Spent, *, person: bool) -> float:
        """The share of the tightest limit that is spent: 1 if it is used up, 0 if there is none."""
        ours, theirs = (self.nanodollars, self.tokens), (self.person_nanodollars, self.person_tokens)
        dollars, tokens = theirs if person else ours
        return max(_share(spent.nanodollars, dollars), _share(spent.tokens, tokens))


def _share(spent: int, limit: int | None) -> float:
    if limit is None:
        return 0.0
    return spent / limit if limit else 1.0


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One line of a report: what was used under `key` (a day, workspace, model, account or purpose).

    `unpriced` counts the requests that `nanodollars` leaves out because their model's price wasn't known.
    """

    key: str
    requests: int
    unpriced: int
    usage: Usage
    nanodollars: int
