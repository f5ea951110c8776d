"""The memory loop, one message at a time: read before you respond, write after you respond."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from bot.aio.rate_limit import Allowance
from bot.commands.interactions import TOO_MUCH
from bot.core import prompt
from bot.core.answer import FOLLOWS, PERMANENT_ERRORS, Answer, Omitted, failed_with
from bot.core.identity import Identities
from bot.core.learning import Learner
from bot.core.retries import HANDLE_KEPT, PATIENCE, SORRY, Retries, retry_until_journal_is_back, whisper
from bot.events import MessageEvent, Recalled
from bot.logs import describe
from bot.model import Account, Memory, Turn
from bot.ports import Chat, ChatError, Inbox, MemoryStore, MemoryUnavailable, Notify, Pauses, ReplyHandle, Turns

log = logging.getLogger(__name__)

#: Texts of the conversation that help the recall's query.
CONTEXT = 3
#: What the first answer after pausing begins with.
PAUSED_LINE = "(Memory is paused: I use nothing that I remember about you, and learn nothing. /memories resumes it.)"


class MemoryBot:
    """Answers what people write (`bot.ports.Messages`)."""

    def __init__(
        self,
        inbox: Inbox,
        turns: Turns,
        pauses: Pauses,
        identities: Identities,
        memory: MemoryStore,
        chat: Chat,
        learner: Learner,
        *,
        persona: str = prompt.PERSONA,
        allowance: int = 0,
        notify: Notify | None = None,
        remember: bool = True,
        later: bool = True,
        operator: bool = False,
        handle_kept: float = HANDLE_KEPT,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Answer through `chat` with what `memory` recalls.

        `allowance` is a person's messages a minute (0: no limit); without `remember` nothing is kept to be learned.
        `later` says that what can't be answered now is retried (by `bot.core.recovery`). With `operator` whoever is
        answered runs the bot, and is told what is wrong.
        """
        self._inbox = inbox
        self._turns = turns
        self._pauses = pauses
        self._identities = identities
        self._memory = memory
        self._chat = chat
        self._learner = learner
        self._persona = persona
        self._allowance = Allowance(allowance)
        self._notify = notify
        self._remember = remember
        self._patience = PATIENCE if later else 0.0
        self._operator = operator
        self._room = prompt.TURNS_BUDGET
        self._retries = Retries(inbox, enabled=later, handle_kept=handle_kept, clock=clock, jitter=jitter)
        self._conversations: dict[str, str] = {}

    async def admit(self, event: MessageEvent) -> bool:
        """Write the event down; False where it was seen before, or holds nothing to answer.

        Where the journal fails that is retried for a while: a database that is restarted loses no message.
        """
        if event.blank:
            return False
        conversation = await retry_until_journal_is_back(lambda: self._inbox.admit(event), patience=self._patience)
        if conversation is None:  # already seen, here or in another process
            return False
        self._conversations[event.id] = conversation
        return True

    async def on_message(self, event: MessageEvent, reply: ReplyHandle, *, admitted: bool = False) -> None:
        """Answer one message, once; whatever fails is logged without its text and told to the person."""
        try:
            if not admitted and not await self.admit(event):
                return
            conversation = self._conversations.pop(event.id)
            if not self._allowance.take(event.person.key, event.at):
                await self._inbox.dismiss(event.id)
                if self._allowance.tell(event.person.key, asyncio.get_running_loop().time()):
                    await whisper(event, reply, TOO_MUCH)
                return
        except Exception as exc:  # noqa: BLE001 - the message boundary: one person's trouble stops nobody else
            log.error("%s: could not be admitted: %s", event.id, describe(exc))
            await whisper(event, reply, SORRY)
            return
        await self._retries.attempt(event, 0, reply, partial(self._answer, event, conversation, reply))

    async def resume(
        self, event: MessageEvent, conversation: str, attempts: int, make: Callable[[MessageEvent], ReplyHandle]
    ) -> None:
        """Answer an event that a process, or an earlier attempt, left behind: in place, if any of it is there."""
        reply = self._retries.take_handle(event) or make(event)

        async def answer() -> bool:
            # Looked for even through a handle that was used before: the answer may be there and only its commit have
            # failed, or another process may have been at it since.
            return await self._was_shown(event, conversation, reply) or await self._answer(event, conversation, reply)

        await self._retries.attempt(event, attempts, reply, answer)

    async def confirm(self, event_id: str) -> None:
        """Raise ClaimLost where another process gives the answer to an event."""
        await self._inbox.confirm(event_id)

    async def _was_shown(self, event: MessageEvent, conversation: str, reply: ReplyHandle) -> bool:
        """Commit an answer that an earlier attempt has shown; False where there is none."""
        found = await reply.found()
        if found is None or found[0].rstrip().endswith(FOLLOWS):  # a word that the answer will follow is none
            return False
        text, message_ids = found
        account = await self._identities.account(event.person)
        # The sentence that there is no answer is none: nothing to keep, or to learn from.
        failure = failed_with(text)
        await self._write_down(event, conversation, "" if failure else text, message_ids, account, failure)
        return True

    async def _answer(self, event: MessageEvent, conversation: str, reply: ReplyHandle) -> bool:
        """Recall, ask, reply, write down. False where the answer is to follow later."""
        if event.notice:
            await self._note(event, conversation, reply)
            return True
        again = self._retries.allowed(event)
        begun = asyncio.get_running_loop().time()
        async with reply.working():
            account, turns, replied = await asyncio.gather(
                self._identities.account(event.person),
                self._turns.recent(conversation),
                self._turns.replied(event),
            )
            if event.opened:  # what was said before stays behind
                turns, replied, event = [], None, replace(event, quoted="")
            if replied is not None:  # what the journal knows of it, or has forgotten, goes before what is still shown
                event = replace(event, quoted="")
            memories = [] if account.paused or account.erasing else await self._recall(account.user_id, event, turns)
            requests = prompt.ladder(self._persona, event, memories, turns, replied, self._room)
            answer = Answer(self._chat, requests, again=again, event_id=event.id, operator=self._operator)
            snapshots = answer.snapshots()
            if account.paused and not account.pause_announced and await self._pauses.announce(account.user_id):
                snapshots = _after(PAUSED_LINE, snapshots)
            message_ids = await reply.stream(snapshots)
        if again and answer.failure is not None and not isinstance(answer.failure, PERMANENT_ERRORS):
            return False
        await self._drop_refused(event, conversation, answer)
        await self._write_down(event, conversation, answer.text, message_ids, account, answer.failure)
        _log_answer(event, answer, len(memories), begun)
        return True

    async def _note(self, event: MessageEvent, conversation: str, reply: ReplyHandle) -> None:
        """Say what can't be read, with neither memories nor the model; written down like any answer, so said once."""
        message_ids = await reply.stream(_whole(event.notice))
        account = await self._identities.account(event.person)
        await self._inbox.answered(event, account.user_id, conversation, event.notice, message_ids, learn=False)

    async def _drop_refused(self, event: MessageEvent, conversation: str, answer: Answer) -> None:
        """What had to be left out of a request to get an answer is not sent again."""
        if answer.omitted is not Omitted.TURNS:
            return
        if answer.too_long:
            # The model's window is smaller than was thought: from now on fewer turns go into a request.
            self._room = answer.turns_length // 2
            log.warning("%s: the model's context window is small; turns limited to %d characters", event.id, self._room)
            return
        # One of them is what the model refuses, and the next question would be refused with it.
        count = await self._turns.drop(conversation)
        log.warning("%s: answered without %d earlier turns that Claude refuses; they are dropped", event.id, count)

    async def _write_down(
        self,
        event: MessageEvent,
        conversation: str,
        text: str,
        message_ids: Sequence[str],
        account: Account,
        failure: ChatError | type[ChatError] | None,
    ) -> None:
        """Commit an answer, or that there is none; what the model refuses is neither kept as context nor learned."""
        keep = failure is None or not failure.about_request
        learn = keep and self._remember and not account.paused
        await self._inbox.answered(event, account.user_id, conversation, text, message_ids, learn=learn, keep=keep)
        if learn:
            self._learner.noticed(account.user_id, event.scope)

    async def _recall(self, user_id: str, event: MessageEvent, turns: Sequence[Turn]) -> list[Memory]:
        query = prompt.message_text(event)
        context = [turn.text for turn in turns[-CONTEXT:]]
        try:
            memories = await self._memory.recall(user_id, event.recallable, query, context, event.at)
        except (MemoryUnavailable, TimeoutError) as exc:
            log.warning("%s: answered without memories: %s", event.id, type(exc).__name__)
            return []
        if self._notify:
            self._notify(Recalled(event.id, len(memories)))
        return memories


async def _whole(text: str) -> AsyncIterator[str]:
    """An answer that is there at once."""
    yield text


def _log_answer(event: MessageEvent, answer: Answer, recalled: int, begun: float) -> None:
    """One line for each answer: how long it took since it was begun, and what it took."""
    whole = asyncio.get_running_loop().time() - begun
    if answer.failure is not None:
        log.warning("%s: not answered after %.2f s: %s", event.id, whole, type(answer.failure).__name__)
        return
    first = (answer.first_word_at or begun) - begun
    took = event.id, first, whole, recalled, answer.usage
    log.info("%s: answered: first word after %.2f s, whole after %.2f s, %d memories recalled, tokens: %s", *took)


async def _after(line: str, snapshots: AsyncIterator[str]) -> AsyncIterator[str]:
    """The snapshots, each with `line` before it."""
    async for snapshot in snapshots:
        yield f"{line}\n\n{snapshot}"
