"""What the core needs from the outside, as small protocols named by role. Implementations are bound in `__main__`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from bot.events import (
    Account,
    Ask,
    CommandEvent,
    Edit,
    Erasure,
    Exchange,
    Joined,
    Learned,
    Memory,
    MessageEvent,
    Person,
    PressEvent,
    Prompt,
    Recalled,
    Said,
    SubmitEvent,
    Turn,
    View,
)

#: Told of what the memory does, for platforms that show it (the terminal).
Notify = Callable[[Recalled | Learned], None]


class ChatError(Exception):
    """The chat model gave no whole answer.

    `sentence` is what the person is told where that is the end of it; `reason` where the answer will follow.
    """

    reason = "I can't reach Claude right now."
    sentence = f"{reason} Please try again in a little while."


class ChatOverloaded(ChatError):
    """The model's service is overloaded or rate-limits us (429, 529) after the SDK's own retries."""

    reason = "Claude is overloaded right now."
    sentence = f"{reason} Please try again in a minute."


class ChatRefused(ChatError):
    """The model declined to answer (`stop_reason` `refusal`)."""

    sentence = "I'd rather not answer that one."


class ChatTooLong(ChatError):
    """The request doesn't fit the model's context window."""

    sentence = "That's more text than I can read at once. Could you send a shorter piece?"


class ChatMisconfigured(ChatError):
    """The service refuses our key, model or request (400, 401, 403, 404): for the operator to mend."""

    sentence = "I'm not set up correctly to answer right now. Whoever runs me will find the reason in my log."


class MemoryUnavailable(Exception):
    """The memory store can't be read or written now; what waits is kept and tried again."""


class JournalUnavailable(Exception):
    """The journal's database can't be read or written now (disk full, connection lost). Nothing was committed."""


class ClaimLost(Exception):
    """Another process has taken an event over: this one, silent for too long, shows and keeps nothing of its answer."""


class TooManyCodes(Exception):
    """An account has entered too many wrong codes: for a while no code counts."""


class LearningFailed(MemoryUnavailable):
    """An extraction gave no usable answer (cut, malformed, refused, or the service is down).

    `smaller` asks for the same exchanges in smaller batches; `final` says that trying again is of no use. `ids` are
    those of the exchanges that it is about, where it isn't about all that were given.
    """

    def __init__(
        self, reason: str, *, smaller: bool = False, final: bool = False, ids: tuple[int, ...] | None = None
    ) -> None:
        super().__init__(reason)
        self.smaller = smaller
        self.final = final
        self.ids = ids


class Respond(Protocol):
    """The way back to where a message came from. One object per message, made by the adapter."""

    def working(self) -> AbstractAsyncContextManager[None]:
        """Show that an answer is on its way (typing, status) while the block runs. Never raises."""
        ...

    async def stream(self, snapshots: AsyncIterator[str]) -> tuple[str, ...]:
        """Show an answer as it grows and return the ids of the messages that hold it (same form as event ids).

        Each snapshot is the whole text so far, in Markdown; a later one may replace it altogether. The last one
        is the answer. Splitting, mentions that must not ping and edit limits are the adapter's business.
        """
        ...

    async def found(self) -> tuple[str, tuple[str, ...]] | None:
        """The answer that an earlier process has already shown in full: its text and its messages' ids; else None.

        Asked before an event is answered that a process left behind. What is only partly shown counts as not shown:
        `stream` then finishes it in place.
        """
        ...

    async def whisper(self, text: str) -> None:
        """Say one plain sentence to the person alone where the platform can (ephemeral), else in place."""
        ...


class Chat(Protocol):
    """The chat model."""

    def answer(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """Yield the answer's text in pieces as they arrive; raise ChatError where it is not whole.

        Closing the generator ends the request behind it.
        """
        ...

    async def close(self) -> None:
        """Release the connections."""
        ...


class MemoryStore(Protocol):
    """Long-term memory: mem0, embedded or hosted. All calls are about one mem0 user id, which is never empty.

    Every method raises MemoryUnavailable (or its kin) where the store fails.
    """

    async def recall(
        self, user_id: str, scopes: frozenset[str] | None, query: str, context: Sequence[str], now: datetime
    ) -> list[Memory]:
        """The memories worth putting into a prompt, best first, within the token budget.

        Only those whose scope is in `scopes` (None: all). `context` holds the conversation's last texts, oldest
        first. Superseded memories are left out. Raises TimeoutError where it takes longer than its budget.
        """
        ...

    async def learn(self, exchanges: Sequence[Exchange]) -> int:
        """Learn from exchanges of one person and scope, in order; return how many facts are new.

        Where it returns, the facts are stored and the exchanges are marked as learned, exactly once.
        Raises LearningFailed where the extraction gave nothing usable.
        """
        ...

    async def list(self, user_id: str, search: str = "") -> list[Memory]:
        """All of a person's memories, newest first; with `search`, those that hold all its words.

        Words match literally, case and word endings aside, never by similarity.
        """
        ...

    async def forget(self, user_id: str, ids: Sequence[str]) -> int:
        """Erase these memories of that person; return how many there were."""
        ...

    async def forget_all(self, user_id: str) -> int:
        """Erase everything the store holds about that person; return how many memories there were."""
        ...

    async def edit(self, user_id: str, memory_id: str, text: str, now: datetime) -> Memory | None:
        """Give a memory of that person another text, embedded anew; the former is erased. None where it is gone.

        The memory that comes back may have another id.
        """
        ...

    async def share(self, user_id: str, memory_id: str, *, shared: bool) -> Memory | None:
        """Open a memory of that person to every channel, or close it to where it was learned. None where it is gone."""
        ...

    async def forget_sources(self, event_ids: Sequence[str], user_id: str | None = None) -> int:
        """Forget that these events taught anything, to that person or (None) to anybody the store knows of.

        A memory goes with its last source. Returns how many memories were touched.
        """
        ...

    async def move(self, user_id: str, to: str, accounts: Sequence[str] | None = None) -> int:
        """Give another mem0 user a person's memories: all, or what these accounts taught; return how many.

        What others have taught too stays here with those sources, and goes there with the accounts' own.
        """
        ...

    async def forget_workspace(self, platform: str, workspace: str, people: Sequence[str]) -> int:
        """Erase what was learned in a workspace alone; return how many memories went.

        `people` are mem0 user ids that may have some, for a store that can't look through everybody's.
        """
        ...

    async def scrub(self) -> None:
        """Take off the disk what was erased, but still in use then (by a backup, an older transaction)."""
        ...

    async def close(self) -> None:
        """Release files and connections."""
        ...


class Journal(Protocol):
    """What must outlive a crash: admitted events, recent turns, exchanges still to be learned, links, intents."""

    async def admit(self, event: MessageEvent) -> str | None:
        """Write the event down and return its conversation's key; None where it was seen before."""
        ...

    async def user_id(self, person_key: str) -> str:
        """The mem0 user id of an account: its own key unless it is linked."""
        ...

    async def confirm(self, event_id: str) -> None:
        """Return where an event is still this process's to answer, however long the process stood still.

        Costs nothing while its heartbeat is young. Raises ClaimLost, and JournalUnavailable where that can't be told.
        """
        ...

    async def let_go(self, event_id: str) -> None:
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

    async def last_seen(self, platform: str) -> list[tuple[str, str, datetime]]:
        """Each known place of a platform: (its `Place.key`, the newest seen message's id, when it came)."""
        ...

    async def recently_seen(self, platform: str, hours: float) -> list[tuple[str, str, datetime]]:
        """What was seen and answered within `hours` before the newest of a platform, oldest first.

        People's messages and the bot's own: (`Place.key`, the message's id, when it was written down).
        """
        ...

    async def recent(self, conversation: str) -> list[Turn]:
        """The conversation's recent turns, oldest first, within the set number and age."""
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
    ) -> None:
        """Commit both turns, the answer's ids and (with `learn`) the exchange to be learned, in one transaction."""
        ...

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

    async def keep_intent(self, person_key: str, action: str, ids: Sequence[str], now: datetime) -> str:
        """Remember what a button will do (memory ids, never text) and return its token."""
        ...

    async def take_intent(self, token: str, person_key: str, now: datetime) -> tuple[str, list[str]] | None:
        """Take (action, ids) of a token once, if it is that person's and not stale (15 minutes); else None."""
        ...

    async def account(self, person_key: str) -> Account:
        """Whose memories an account has, and whether they may be used now: one read on the way of each message."""
        ...

    async def pause(self, user_id: str, paused: bool) -> None:
        """Switch a person's memory off or on."""
        ...

    async def tell_paused(self, user_id: str) -> bool:
        """Whether this answer is the one that says so: True once after each pausing, in whatever process."""
        ...

    async def accounts(self, user_id: str) -> list[str]:
        """The accounts linked to a mem0 user id, that id's own not among them."""
        ...

    async def export(self, user_id: str, person_keys: Sequence[str]) -> dict[str, Any]:
        """All that is kept here about a person, ready for JSON."""
        ...

    async def said(self, user_id: str, person_keys: Sequence[str]) -> list[Said]:
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

    async def edited(self, event: MessageEvent, user_id: str, *, learn: bool) -> None:
        """Let the kept text follow an edit. What is to be learned anew is held until `release`."""
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

    async def offer_code(self, person_key: str, digest: str) -> None:
        """Keep the digest of a code that joins another account to this one, for ten minutes and one use."""
        ...

    async def redeem_code(self, person_key: str, digest: str) -> Joined | None:
        """Join the account to the one that showed the code; None where there is no such code (any more).

        Raises TooManyCodes where this account has entered too many wrong ones.
        """
        ...

    async def part(self, person_key: str) -> Joined | None:
        """Part an account from those it is linked with; None where it isn't."""
        ...

    async def close(self) -> None:
        """Finish what is queued and release the connections."""
        ...


class Core(Protocol):
    """What an adapter hands its events to."""

    async def admit(self, event: MessageEvent) -> bool:
        """Write the event down, so that it may be acknowledged; False where it was seen before.

        Raises JournalUnavailable where it can't be written: the platform should send it again.
        """
        ...

    async def on_message(self, event: MessageEvent, respond: Respond, *, admitted: bool = False) -> None:
        """Answer one message (`admitted`: it was written down by `admit`, which returned True).

        Never raises: failures are logged without text and told to the person.
        """
        ...

    async def confirm(self, event_id: str) -> None:
        """Return where the answer to an event may be shown; called right before each request that shows some of it.

        Raises ClaimLost where another process gives that answer, and JournalUnavailable where it can't be told.
        Neither is for the adapter to handle: the core expects them from `Respond`.
        """
        ...

    async def on_command(self, event: CommandEvent) -> View:
        """Run `/memories` or `/forget` for the caller alone. Never raises."""
        ...

    async def on_press(self, event: PressEvent) -> View:
        """Act on a button for the person who clicked it. Never raises."""
        ...

    async def ask(self, event: PressEvent) -> Ask | View:
        """The form that a button with `asks` opens; a View where it may not be opened. Answers within a second."""
        ...

    async def on_submit(self, event: SubmitEvent) -> View:
        """Act on a form for the person who filled it in. Never raises."""
        ...

    async def on_deleted(self, event_ids: Sequence[str]) -> None:
        """Messages were deleted on the platform (the bot's own too): forget what they alone taught. Never raises."""
        ...

    async def on_edited(self, event: MessageEvent) -> None:
        """A message's text was changed on the platform: learn it anew where it had been meant for us. Never raises."""
        ...

    async def on_removed(self, platform: str, workspace: str, person: Person | None = None) -> None:
        """The bot was removed from a workspace (or by one person): erase what belongs to it alone, after a grace."""
        ...

    async def on_returned(self, platform: str, workspace: str, person: Person | None = None) -> None:
        """The bot was added again: nothing of it is erased any more. Never raises."""
        ...

    async def last_seen(self, platform: str) -> list[tuple[str, str, datetime]]:
        """Each place spoken in before: (its `Place.key`, the newest seen message's id, when it came)."""
        ...

    async def recently_seen(self, platform: str, hours: float) -> list[tuple[str, str, datetime]]:
        """Messages and answers of the last `hours` before the newest of a platform: (`Place.key`, id, when), in order.

        What of them is no longer there, or says something else now, was changed while nobody listened.
        """
        ...

    async def suggest(self, event: CommandEvent) -> list[str]:
        """Up to 25 of the caller's memories (100 characters each) that match what is typed, for autocompletion."""
        ...


class Adapter(Protocol):
    """A platform. `run` returns after `stop`; it raises SettingsError where a token is plainly refused."""

    name: str
    #: Set once the platform's events arrive.
    ready: asyncio.Event

    def respond(self, event: MessageEvent) -> Respond:
        """A way back to a message that an earlier process (or try) left unanswered."""
        ...

    async def run(self) -> None:
        """Connect, and hand events to the core until stopped."""
        ...

    async def stop(self) -> None:
        """Take in nothing new, let what is in flight finish, then disconnect."""
        ...
