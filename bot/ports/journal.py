"""What must outlive a crash, one protocol per role: everybody gets only the part of the journal that they need.

Every method raises JournalUnavailable if the database fails.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Protocol

from bot.erasures import Erasure, Joined
from bot.events import Edit, Edited, MessageEvent, Signal
from bot.model import Account, Exchange, Nearby, Place, Replied, ShownAnswer, StoredMessage, Turn


class Inbox(Protocol):
    """Events, from admission to answer."""

    async def admit(self, event: MessageEvent) -> str | None:
        """Record an event and claim it; return its conversation's key, None if it was seen before."""
        ...

    async def confirm(self, event_id: str) -> None:
        """Return if an event is still this process's to answer, however long the process was suspended.

        Costs nothing while the heartbeat is recent. Raises ClaimLost, or JournalUnavailable if that can't be told.
        """
        ...

    def joined(self, event_id: str) -> str | None:
        """The open event that one just admitted here has joined, to be answered with it; None if there is none."""
        ...

    async def release(self, event_id: str) -> bool:
        """Whether an event that had joined another is to be answered by itself after all, by this process.

        False if it was answered with the other, will be, or is gone: nothing is left to be done here.
        """
        ...

    async def reread(self, event: MessageEvent, *, joining: bool = True) -> MessageEvent | None:
        """The event with its text of now, and with what has joined it, right before it is answered.

        Without `joining`, nothing more joins it. None if it was forgotten or deleted meanwhile, or is another
        process's.
        """
        ...

    async def abandon_claim(self, event_id: str) -> None:
        """End an attempt that failed with ClaimLost: if the event comes back to this process, it starts afresh."""
        ...

    async def dismiss(self, event_id: str, *, together: bool = False) -> bool:
        """End an event that gets no answer; False if it isn't this process's to end.

        With `together`, what its answer would have been to as well ends with it.
        """
        ...

    async def postpone(self, event_id: str, seconds: float) -> None:
        """Give an event back: `unanswered` offers it, here or in another process, after so many seconds."""
        ...

    async def unanswered(self, platforms: Collection[str]) -> Sequence[tuple[MessageEvent, str, int]]:
        """Claim these platforms' events that no living process is answering, oldest first.

        Each with its conversation's key and the number of times it was resumed, this one included.
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
        read: Sequence[str] = (),
        introduced: bool = False,
        quotes: bool = False,
        off_record: bool = False,
    ) -> bool:
        """Commit both turns, the answer's message ids and (with `learn`) the exchange to learn, in one transaction.

        What has joined the event has a turn and an exchange of its own; the answer goes with the last.
        False if the event was gone: its message was deleted, or its person has had everything forgotten.
        `read` are the messages of others that the answer was given with: it may repeat them, so its text isn't kept,
        and the turn goes with any of them. If it `quotes` what is public, it is kept, but nothing is learned from it.
        Without `keep` the event ends and the ids are recorded, but no text: neither turn nor exchange. `introduced`:
        the answer has told its person that they are remembered. `off_record`: they want nothing of the exchange
        learned; nor is anything if the journal knows that by itself.
        """
        ...


class Signals(Protocol):
    """What processes tell each other of the events that they answer."""

    async def take(self) -> Sequence[tuple[str, Signal, str]]:
        """What other processes tell of this one's events, once: each with what its message says now."""
        ...

    async def stop(self, person_key: str, conversation: str) -> bool:
        """Tell other processes to stop what they answer somebody in a conversation; False if they answer nothing."""
        ...

    async def stop_one(self, event_id: str, person_key: str) -> bool:
        """Tell another process to stop the answer to a message, for whoever wrote it; False if none gives it."""
        ...


class Turns(Protocol):
    """Recent turns of conversations, which go into the next prompt."""

    async def recent(self, conversation: str) -> list[Turn]:
        """The conversation's recent turns, oldest first, within the configured number and age."""
        ...

    async def replied(self, event: MessageEvent) -> Replied | None:
        """The exchange that an event replies to, or whose thread it is in; None if it is unknown or too long ago.

        Without turns if they were forgotten.
        """
        ...

    async def unused(self, event: MessageEvent, nearby: Sequence[Nearby]) -> set[str]:
        """The ids of messages around an event that aren't read with it.

        Their texts are among the turns, or may hold what somebody has had forgotten since.
        """
        ...

    async def drop(self, conversation: str) -> int:
        """Delete the turns of a conversation; return how many there were."""
        ...


class Outbox(Protocol):
    """Exchanges, until they are learned."""

    async def waiting(self) -> list[tuple[str, str]]:
        """Each (user_id, scope) with exchanges that are due to be learned."""
        ...

    async def claim(self, user_id: str, scope: str) -> list[Exchange]:
        """Claim what waits to be learned for a person in a scope, oldest first."""
        ...

    async def learned(self, ids: Sequence[int]) -> None:
        """Delete learned exchanges, their raw text with them. Unknown ids are ignored."""
        ...

    async def failed(self, ids: Sequence[int], reason: str, *, final: bool) -> None:
        """Count a failed attempt; `final` keeps the exchanges for the operator, with no further attempts."""
        ...

    async def postpone(self, ids: Sequence[int], seconds: float) -> int:
        """Give exchanges back because the spending limit is reached, to be tried again in so many seconds or sooner.

        Returns how many are dropped, since their texts have been kept for as long as they may be.
        """
        ...


class Taught(Protocol):
    """Whose memories each event added to, for a memory store that can't tell."""

    async def accounts_of(self, event_ids: Sequence[str]) -> dict[str, str]:
        """Map each event to the account whose memories it added to, where that was recorded."""
        ...

    async def everyone(self) -> list[str]:
        """Every account that was ever recorded."""
        ...

    async def release(self, event_ids: Sequence[str]) -> None:
        """What these events taught is forgotten: their edited texts, held until now, may be learned."""
        ...


class Accounts(Protocol):
    """Whose memories an account has."""

    async def user_id(self, person_key: str) -> str:
        """The mem0 user id of an account: its own key unless it is linked."""
        ...

    async def account(self, person_key: str, place: Place | None = None) -> Account:
        """Whose memories an account has, whether they may be used now, and what holds for it in a place.

        One read on each message's path.
        """
        ...

    async def linked_to(self, user_id: str) -> list[str]:
        """The accounts linked to a mem0 user id, that id's own account not among them."""
        ...

    async def people(self, platform: str) -> list[str]:
        """The keys of a platform's accounts, and its mem0 user ids, about which anything is stored here."""
        ...

    async def unite(self, former: str, key: str) -> Joined | None:
        """Join an account's former key to its own, as a link does; None if they share their memories already."""
        ...

    async def unlink(self, person_key: str) -> Joined | None:
        """Unlink an account from the others; None if it isn't linked."""
        ...

    async def former_keys(self, platform: str, workspace: str) -> list[str]:
        """The former keys of a workspace's accounts that were joined to their own."""
        ...


class Pauses(Protocol):
    """Whose memory is paused."""

    async def set(self, user_id: str, paused: bool) -> None:
        """Pause a person's memory, or resume it."""
        ...

    async def announce(self, user_id: str) -> bool:
        """Whether this answer should say so: True once per pause, over all processes."""
        ...


class Preferences(Protocol):
    """What people have chosen for themselves."""

    async def noticed(self, user_id: str) -> bool:
        """Whether a person wants to be told, below an answer, that it has taught something."""
        ...

    async def set_noticed(self, user_id: str, wanted: bool) -> None:
        """Switch that on or off for a person."""
        ...


class ShownAnswers(Protocol):
    """Where answers are shown."""

    async def shown(self, event_id: str) -> ShownAnswer | None:
        """Where the answer to an event was shown, and in which messages; None if that isn't known any more."""
        ...


class Introductions(Protocol):
    """Who has been told that they are remembered."""

    async def due(self, person_key: str, workspace: str, event_id: str) -> bool:
        """Whether the answer to this event is the one that tells its person in that workspace, over all processes.

        It is until that is recorded (`Inbox.answered`), or until its event has ended without.
        """
        ...


class OffRecord(Protocol):
    """Conversations that people keep off the record (`Account.off_record`): nothing said there is learned."""

    async def begin(self, person_key: str, place: Place) -> None:
        """Keep off the record what a person says in a place from now on: in a channel, its threads with it."""
        ...

    async def end(self, person_key: str, place: Place) -> None:
        """Let what a person says there be learned again from now on."""
        ...


#: The action of an intent whose ids are words: of a wish to have something forgotten, to be looked at first.
REVIEW = "review"


class Intents(Protocol):
    """What a button that was shown does."""

    async def keep(self, person_key: str, action: str, ids: Sequence[str], now: datetime) -> str:
        """Store what a button does (ids; with REVIEW, the words of a wish) and return its token."""
        ...

    async def look(self, token: str, person_key: str, now: datetime) -> tuple[str, list[str]] | None:
        """As `take`, but the token stays: its button may be pressed again."""
        ...

    async def take(self, token: str, person_key: str, now: datetime) -> tuple[str, list[str]] | None:
        """A token's (action, ids), once, if it is that person's and not stale (15 minutes); else None."""
        ...


class Codes(Protocol):
    """Codes that link accounts."""

    async def offer(self, person_key: str, digest: str, name: str = "") -> None:
        """Store the digest of a code that links another account to this one, for ten minutes and one use.

        `name` is the requesting person's name, to be shown to whoever enters the code.
        """
        ...

    async def look_up(self, person_key: str, digest: str) -> tuple[str, str] | None:
        """The account that requested a code, and its person's name; None as for `redeem`.

        Counts as an attempt, so it raises TooManyCodes as `redeem` does.
        """
        ...

    async def redeem(self, person_key: str, digest: str) -> Joined | None:
        """Link the account to the one that requested the code; None if there is no such code (any more).

        Raises TooManyCodes if this account has entered too many wrong ones.
        """
        ...


class Texts(Protocol):
    """What is stored verbatim of people and workspaces, to be exported, searched and forgotten."""

    async def export(self, user_id: str, person_keys: Sequence[str]) -> dict[str, Any]:
        """Everything stored here about a person, ready for JSON."""
        ...

    async def stored_messages(self, user_id: str, person_keys: Sequence[str]) -> list[StoredMessage]:
        """A person's messages that are stored verbatim, each with its answer."""
        ...

    async def forget_events(self, user_id: str, event_ids: Sequence[str], texts: Sequence[str] = ()) -> int:
        """Erase what is stored of these events of a person, and answers that may repeat it; return the rows deleted.

        `texts` are those of memories forgotten along with them, which answers may repeat as well.
        """
        ...

    async def forget_since(self, user_id: str, person_keys: Sequence[str], start: datetime, end: datetime) -> int:
        """Erase what a person said from `start` to before `end`, with its answers; return the rows deleted."""
        ...

    async def forget_person(self, user_id: str, person_keys: Sequence[str]) -> int:
        """Erase a person's turns (and the answers to them), exchanges and intents; return the rows deleted.

        Links, settings and codes go too; nothing in flight brings any of it back.
        """
        ...

    async def forget_workspace(self, platform: str, workspace: str) -> int:
        """Erase what belongs to a workspace alone; return the rows deleted. Raises ValueError without an id."""
        ...


class MessageChanges(Protocol):
    """Messages that were edited or deleted on their platform."""

    async def compare(self, event: MessageEvent) -> Edit:
        """What an edit on the platform means here."""
        ...

    async def keep_ahead(self, event: MessageEvent) -> bool:
        """Store the edited text of a message that hasn't arrived yet, to be answered as edited.

        False if nothing was stored: the message has arrived meanwhile, was deleted, or is too old to arrive.
        """
        ...

    async def edit(self, wanted: Sequence[Edited]) -> None:
        """Apply edits, at most one per message, to stored texts; learning them waits for `Taught.release`."""
        ...

    async def any_stored(self, message_ids: Sequence[str]) -> bool:
        """Whether anything of these messages may be stored here."""
        ...

    async def withdraw(self, message_ids: Sequence[str]) -> bool:
        """Record that messages were deleted before they were seen, so that none of them is ever admitted.

        False if one of them was seen meanwhile.
        """
        ...

    async def forget(self, message_ids: Sequence[str]) -> int:
        """Erase what is stored of messages deleted on the platform, whoever wrote them; return the rows deleted.

        For a message of the bot's own, the answer's turn.
        """
        ...


class ErasureQueue(Protocol):
    """What is still to be erased from (or moved within) the memory store, recorded before the attempt."""

    async def add(self, erasures: Sequence[Erasure], delay: float | None = None) -> list[Erasure]:
        """Record erasures, due in `delay` seconds (default: one minute), and return them with their ids."""
        ...

    async def add_once(self, erasure: Erasure, delay: float) -> bool:
        """Record an erasure that is due in `delay` seconds; False if an equal one is already queued."""
        ...

    async def due(self) -> list[Erasure]:
        """Erasures that are due, oldest first; no other caller gets them for a minute."""
        ...

    async def done(self, erasure_id: int) -> None:
        """Remove an erasure that has succeeded."""
        ...

    async def retry_later(self, erasure_id: int) -> float:
        """Reschedule an erasure that has failed; return in how many seconds it is due again."""
        ...

    async def cancel(self, erasure: Erasure) -> int:
        """Remove a queued erasure; return how many there were."""
        ...
