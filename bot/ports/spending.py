"""What requests to models cost: bounded before they are sent, and counted."""

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
    """A mark that the day's spending has just passed: 80 % of a limit, or all of it."""

    DAY_NEARLY_SPENT = "80 % of the day's limit is spent"
    DAY_SPENT = "the day's limit is spent"
    PERSON_NEARLY_SPENT = "80 % of a person's limit for the day is spent"
    PERSON_SPENT = "a person's limit for the day is spent"


class Ledger(Protocol):
    """The record of requests, shared by all processes on one database. Raises JournalUnavailable if that fails."""

    async def reserve(self, request_id: str, request: Metered, limits: Limits) -> Verdict:
        """Record a request that is about to be sent, with the most it can take, if the day's limits leave room.

        Nothing is recorded unless it is admitted. If a process dies, its recorded requests count in full.
        """
        ...

    async def settle(
        self, request_id: str, usage: Usage, nanodollars: int | None, limits: Limits
    ) -> Sequence[Threshold]:
        """Replace a recorded request by what it took; return the thresholds that this passes."""
        ...

    async def spent_today(self, user_id: str | None = None) -> Spent:
        """What that person, or everybody, has spent today (UTC), without what is in flight."""
        ...

    async def report(self, since: date, by: str) -> list[UsageRow]:
        """What was used from that day on, by `day`, `workspace`, `model`, `person` or `purpose`, in order of the key.

        What can no longer be attributed, since its person or workspace was erased, is under the key "".
        """
        ...


class Notices(Protocol):
    """Notices that a person gets now and then rather than every time."""

    async def first(self, kind: str, key: str, seconds: float) -> bool:
        """Whether a notice of that kind is due for `key`: True once in so many seconds, across all processes."""
        ...


class Charge(Protocol):
    """An admitted request, as an asynchronous context manager: what it took is counted on exit.

    `usage` is the most that the request can take until its sender knows better and replaces it.
    """

    usage: Usage

    @property
    def nanodollars(self) -> int | None:
        """What `usage` costs, in billionths of a dollar; None if the model's price isn't known."""
        ...

    async def __aenter__(self) -> "Charge": ...

    async def __aexit__(self, *_: object) -> None: ...


class Spending(Protocol):
    """Admits requests within the day's limits."""

    def check(self, user_id: str) -> None:
        """Raise LimitReached if it is already known that a person can't be served today. Doesn't ask the ledger."""
        ...

    async def charge(self, payer: Payer, purpose: Purpose, model: str, max_usage: Usage) -> Charge:
        """Reserve what a request may take at most, before it is sent. Raises LimitReached if the limit is used up.

        May wait for requests in flight that could leave enough. Can be called on any event loop. Raises
        JournalUnavailable if it can't be recorded.
        """
        ...
