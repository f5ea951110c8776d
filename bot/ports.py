"""What the core needs from the outside, as small protocols named by role. Implementations are bound in `__main__`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from bot.events import CommandEvent, Exchange, Learned, Memory, MessageEvent, PressEvent, Prompt, Recalled, Turn, View

#: Told of what the memory does, for platforms that show it (the terminal).
Notify = Callable[[Recalled | Learned], None]


class ChatError(Exception):
    """The chat model gave no whole answer. `sentence` is what the person is told."""

    sentence = "I can't reach Claude right now. Please try again in a little while."


class ChatOverloaded(ChatError):
    """The model's service is overloaded or rate-limits us (429, 529) after the SDK's own retries."""

    sentence = "Claude is overloaded right now. Please try again in a minute."


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

    async def forget_events(self, user_id: str, event_ids: Sequence[str]) -> int:
        """Erase that person's turns, their answers and exchanges of these events; return how many rows went."""
        ...

    async def forget_raw(self, user_id: str, person_keys: Sequence[str]) -> int:
        """Erase a person's turns (and the answers to them), exchanges and intents; return how many rows went."""
        ...

    async def close(self) -> None:
        """Finish what is queued and release the connections."""
        ...


class Core(Protocol):
    """What an adapter hands its events to."""

    async def on_message(self, event: MessageEvent, respond: Respond) -> None:
        """Answer one message. Never raises: failures are logged without text and told to the person."""
        ...

    async def on_command(self, event: CommandEvent) -> View:
        """Run `/memories` or `/forget` for the caller alone. Never raises."""
        ...

    async def on_press(self, event: PressEvent) -> View:
        """Act on a button for the person who clicked it. Never raises."""
        ...

    async def suggest(self, event: CommandEvent) -> list[str]:
        """Up to 25 of the caller's memories (100 characters each) that match what is typed, for autocompletion."""
        ...


class Adapter(Protocol):
    """A platform. `run` returns after `stop`; it raises SettingsError where a token is plainly refused."""

    name: str
    #: Set once the platform's events arrive.
    ready: asyncio.Event

    async def run(self) -> None:
        """Connect, and hand events to the core until stopped."""
        ...

    async def stop(self) -> None:
        """Take in nothing new, let what is in flight finish, then disconnect."""
        ...
