"""What must outlive a crash, by role: who needs a part of it asks for that part alone."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Protocol

from bot.events import Edit, Edited, MessageEvent
from bot.model import Account, Erasure, Exchange, Joined, Replied, StoredMessage, Turn


class Inbox(Protocol):
    """Events, from being written down to being answered, and the turns that go before the next one."""

    async def admit(self, event: MessageEvent) -> str | None:
        """Write the event down and return its conversation's key; None where it was seen before."""
        ...

    async def confirm(self, event_id: str) -> None:
        """Return where an event is still this process's to answer, however long the process stood still.

        Costs nothing while its heartbeat is young. Raises ClaimLost, and JournalUnavailable where that can't be told.
        """
        ...

    async def abandon_claim(self, event_id: str) -> None:
        """A try at an event has ended with ClaimLost: where the event comes back to this process, it begins anew."""
        ...

    async def dismiss(self, event_id: str) -> bool:
        """End an event that gets no answer (and is not to be taken up again); False where it isn't ours to end."""
        ...

    async def postpone(self, event_id: str, seconds: float) -> None:
        """Give an event back: `unanswered` offers it, here or in another process, in so many seconds."""
        ...

    async def unanswered(self, platforms: Collection[str]) -> Sequence[tuple[MessageEvent, str, int]]:
        """Claim these platforms' events that no living process answers, oldest first.

        Each with its conversation, and how often it was taken up.
        """
        ...

    async def answered(
        self,
        event: MessageEvent,
        user_id: str,
        conversation: str,
        answer: str,
        message_ids: Sequence[str],
        *,
        learn: bool,
        keep: bool = True,
    ) -> None:
        """Commit both turns, the answer's ids and (with `learn`) the exchange to be learned, in one transaction.

        Without `keep` the event is ended and the ids are noted, and no text of it is kept: neither turn nor exchange.
        """
        ...

    async def drop_turns(self, conversation: str) -> int:
        """Drop the turns kept of a conversation; return how many there were."""
        ...

    async def recent(self, conversation: str) -> list[Turn]:
        """The conversation's recent turns, oldest first, within the set number and age."""
        ...

    async def replied(self, event: MessageEvent) -> Replied | None:
        """The exchange that an event replies to, or whose thread it is in; None where it is unknown or too long ago.

        Without turns where they were forgotten.
        """
        ...

    async def last_seen(self, platform: str) -> list[tuple[str, str, datetime]]:
        """Each known place of a platform: (its `Place.key`, the newest seen message's id, when it came)."""
        ...

    async def recently_seen(self, platform: str, hours: float) -> list[tuple[str, str, datetime]]:
        """What was seen and answered within `hours` before the newest of a platform, oldest first.

        People's messages and the bot's own: (`Place.key`, the message's id, when it was written down).
        """
        ...


class Outbox(Protocol):
    """What was said and answered, until it is learned."""

    async def waiting(self) -> list[tuple[str, str]]:
        """Each (user_id, scope) that has exchanges to be learned."""
        ...

    async def exchanges(self, user_id: str, scope: str) -> list[Exchange]:
        """What waits to be learned for a person in a scope, oldest first."""
        ...

    async def learned(self, ids: Sequence[int]) -> None:
        """Drop exchanges that are learned (their raw text with them). Unknown ids are let pass."""
        ...

    async def learning_failed(self, ids: Sequence[int], reason: str, *, final: bool) -> None:
        """Count a failed attempt; `final` keeps the exchange for the operator but no longer tries it."""
        ...


class Accounts(Protocol):
    """Whose memories an account has, and what its person has set."""

    async def user_id(self, person_key: str) -> str:
        """The mem0 user id of an account: its own key unless it is linked."""
        ...

    async def account(self, person_key: str) -> Account:
        """Whose memories an account has, and whether they may be used now: one read on the way of each message."""
        ...

    async def accounts(self, user_id: str) -> list[str]:
        """The accounts linked to a mem0 user id, that id's own not among them."""
        ...

    async def people(self, platform: str) -> list[str]:
        """The keys of a platform's accounts, and its mem0 user ids, of which anything is kept here."""
        ...

    async def unite(self, former: str, key: str) -> Joined | None:
        """Join a former key of an account to its own, as a link does; None where they share their memories already."""
        ...

    async def spelled(self, platform: str, workspace: str) -> list[str]:
        """The former keys of a workspace's accounts that were joined to their own."""
        ...

    async def pause(self, user_id: str, paused: bool) -> None:
        """Switch a person's memory off or on."""
        ...

    async def tell_paused(self, user_id: str) -> bool:
        """Whether this answer is the one that says so: True once after each pausing, in whatever process."""
        ...


class Intents(Protocol):
    """What a shown button will do."""

    async def keep_intent(self, person_key: str, action: str, ids: Sequence[str], now: datetime) -> str:
        """Remember what a button will do (memory ids, never text) and return its token."""
        ...

    async def take_intent(self, token: str, person_key: str, now: datetime) -> tuple[str, list[str]] | None:
        """Take (action, ids) of a token once, if it is that person's and not stale (15 minutes); else None."""
        ...


class Codes(Protocol):
    """Accounts that are joined by a code, and parted."""

    async def offer_code(self, person_key: str, digest: str, name: str = "") -> None:
        """Keep the digest of a code that joins another account to this one, for ten minutes and one use.

        `name` is how the person is called who shows it, to be told to whoever enters it.
        """
        ...

    async def look_up_code(self, person_key: str, digest: str) -> tuple[str, str] | None:
        """The account that showed the code, and how its person is called; None as for `redeem_code`.

        Raises TooManyCodes as that does: it counts like using the code.
        """
        ...

    async def redeem_code(self, person_key: str, digest: str) -> Joined | None:
        """Join the account to the one that showed the code; None where there is no such code (any more).

        Raises TooManyCodes where this account has entered too many wrong ones.
        """
        ...

    async def part(self, person_key: str) -> Joined | None:
        """Part an account from those it is linked with; None where it isn't."""
        ...


class RawText(Protocol):
    """What is kept as it was said, in all the ways in which it is told, changed and forgotten."""

    async def export(self, user_id: str, person_keys: Sequence[str]) -> dict[str, Any]:
        """All that is kept here about a person, ready for JSON."""
        ...

    async def said(self, user_id: str, person_keys: Sequence[str]) -> list[StoredMessage]:
        """What of a person's messages is kept as it was said, each with its answer."""
        ...

    async def forget_events(self, user_id: str, event_ids: Sequence[str], texts: Sequence[str] = ()) -> int:
        """Erase what is kept of these events of a person, and answers that may repeat it; return how many rows went.

        `texts` are those of memories that are forgotten along with them, which answers may repeat as well.
        """
        ...

    async def forget_since(self, user_id: str, person_keys: Sequence[str], start: datetime, end: datetime) -> int:
        """Erase what a person said from `start` to before `end`, with its answers; return how many rows went."""
        ...

    async def forget_raw(self, user_id: str, person_keys: Sequence[str]) -> int:
        """Erase a person's turns (and the answers to them), exchanges and intents; return how many rows went.

        Links, settings and codes go too; what is in flight brings nothing back.
        """
        ...

    async def known(self, message_ids: Sequence[str]) -> bool:
        """Whether anything may be kept here of any of these messages."""
        ...

    async def withdraw(self, message_ids: Sequence[str]) -> bool:
        """Note that messages which aren't known were deleted, so that none of them is taken in any more.

        False where one of them has become known meanwhile.
        """
        ...

    async def keep_ahead(self, event: MessageEvent) -> bool:
        """Keep the text of an edit for the message itself, which is still to come: that is then answered as it now is.

        False where nothing is kept: the message has come meanwhile, was deleted, or is too old to come.
        """
        ...

    async def forget_messages(self, message_ids: Sequence[str]) -> int:
        """Erase what is kept of messages deleted on the platform, whoever wrote them; return how many rows went.

        Of the bot's own messages, the answer's turn goes.
        """
        ...

    async def forget_workspace(self, platform: str, workspace: str) -> int:
        """Erase what belongs to a workspace alone; return how many rows went. Raises ValueError without an id."""
        ...

    async def compare(self, event: MessageEvent) -> Edit:
        """What an edit on the platform is to us."""
        ...

    async def edited(self, wanted: Sequence[Edited]) -> None:
        """Let the kept texts follow edits, each of another message; what is to be learned is held until `release`."""
        ...

    async def release(self, event_ids: Sequence[str]) -> None:
        """What these events taught before is forgotten: their new texts may be learned."""
        ...

    async def taught(self, event_ids: Sequence[str]) -> dict[str, str]:
        """Which accounts events taught something, where it was noted."""
        ...

    async def learners(self) -> list[str]:
        """Every account of which it was noted that an event taught it something."""
        ...


class Erasures(Protocol):
    """What is still to be erased from (or moved in) the memory store, written down before it is tried."""

    async def owe(self, wanted: Sequence[Erasure], delay: float | None = None) -> list[Erasure]:
        """Write erasures down before they are tried; they are due in `delay` seconds (one minute)."""
        ...

    async def owe_once(self, wanted: Erasure, delay: float) -> bool:
        """Write an erasure down that is due in `delay` seconds; False where the same is owed already."""
        ...

    async def owed(self) -> list[Erasure]:
        """Take up the erasures that are due, oldest first."""
        ...

    async def settle(self, erasure_id: int) -> None:
        """An erasure is done."""
        ...

    async def put_off(self, erasure_id: int) -> None:
        """An erasure failed: it is due again later."""
        ...

    async def excuse(self, wanted: Erasure) -> int:
        """Let an erasure that is not yet due be; return how many there were."""
        ...


class Journal(Inbox, Outbox, Accounts, Intents, Codes, RawText, Erasures, Protocol):
    """What must outlive a crash. All of its methods raise JournalUnavailable where the database fails."""

    async def close(self) -> None:
        """Finish what is queued and release the connections."""
        ...
