"""What requests to models cost: counted, and bounded before they are sent."""

from collections.abc import Sequence
from datetime import date
from enum import Enum
from typing import Protocol

from bot.usage import Limits, Metered, Payer, Purpose, Spent, Usage, UsageRow


class Verdict(Enum):
    """Whether a request may be sent."""

    ADMITTED = "admitted"
    #: Requests in flight may use up the limit, or may leave enough of it.
    WAIT = "wait"
    DAY_SPENT = "the day's limit is used up"
    PERSON_SPENT = "the person's limit for the day is used up"


class Threshold(Enum):
    """A mark that what was spent in a day has just passed: 80 % of a limit, or all of it."""

    DAY_NEARLY_SPENT = "80 % of the day's limit is spent"
    DAY_SPENT = "the day's limit is spent"
    PERSON_NEARLY_SPENT = "80 % of a person's limit for the day is spent"
    PERSON_SPENT = "a person's limit for the day is spent"


class Ledger(Protocol):
    """The record of requests, shared by all processes on one database. Raises JournalUnavailable if that fails."""

    async def reserve(self, request_id: str, request: Metered, limits: Limits) -> Verdict:
        """Record a request that is about to be sent, with the most it can take, if the day's limits leave room.

        Nothing is recorded unless it is admitted. Recorded requests of a process that dies count in full.
        """
        ...

    async def settle(
        self, request_id: str, usage: Usage, nanodollars: int | None, limits: Limits
    ) -> Sequence[Threshold]:
        """Replace a recorded request by what it took; returns the thresholds that are passed with it."""
        ...

    async def spent_today(self, user_id: str | None = None) -> Spent:
        """What was spent today (UTC), without what is in flight; by that person, or by everybody."""
        ...

    async def report(self, since: date, by: str) -> list[UsageRow]:
        """What was used from that day on, by `day`, `workspace`, `model`, `person` or `purpose`, in order of the key.

        What can't be ascribed any more (its person or workspace was erased) is under the key "".
        """
        ...


class Notices(Protocol):
    """Sentences that a person is told now and then, and not each time."""

    async def first(self, kind: str, key: str, seconds: float) -> bool:
        """Whether a notice of that kind is due for `key`: True once in so many seconds, in whichever process."""
        ...


class Charge(Protocol):
    """A request that was let through, as an asynchronous context manager: what it took is counted when it ends.

    `usage` is the most that the request can take, until its sender knows better and replaces it.
    """

    usage: Usage

    @property
    def nanodollars(self) -> int | None:
        """What `usage` costs, in billionths of a dollar; None if the model's price isn't known."""
        ...

    async def __aenter__(self) -> "Charge": ...

    async def __aexit__(self, *_: object) -> None: ...


class Spending(Protocol):
    """Lets requests through within the day's limits."""

    def check(self, user_id: str) -> None:
        """Raise LimitReached if it is known that a person can't be served today. Asks nobody."""
        ...

    async def charge(self, payer: Payer, purpose: Purpose, model: str, most: Usage) -> Charge:
        """Reserve what a request may take at most, before it is sent. Raises LimitReached where the limit is used up.

        May wait for requests in flight where these may leave enough. Can be called on any event loop. Raises
        JournalUnavailable if it can't be recorded.
        """
        ...
