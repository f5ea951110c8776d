"""The memory loop, one message at a time: read before you respond, write after you respond."""

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.aio.rate_limit import Allowance
from bot.commands.interactions import TOO_MUCH
from bot.core import prompt
from bot.core.answer import FOLLOWS, HOPELESS, Answer, Lacking, failed_with
from bot.core.learning import Learner
from bot.core.retries import PATIENCE, retry_until_journal_is_back
from bot.events import MessageEvent, Recalled
from bot.logs import describe
from bot.model import Account, Memory, Turn
from bot.ports import (
    Chat,
    ChatError,
    ClaimLost,
    Journal,
    JournalUnavailable,
    MemoryStore,
    MemoryUnavailable,
    Notify,
    PlatformRefused,
    ReplyHandle,
)
from bot.privacy.rights import PAUSED_LINE, Rights

log = logging.getLogger(__name__)

#: Texts of the conversation that help the recall's query.
CONTEXT = 3
#: How old a question may be that is still asked again in an outage.
ANSWER_WITHIN = timedelta(hours=1)
#: Seconds before an event is taken up again: the first time, doubled each time, and at most.
AGAIN_FIRST = 4.0
AGAIN_MOST = 50.0
#: Seconds for which the way back to such an event is kept: it holds what was shown of an answer, and whoever has that
#: forgotten doesn't reach it here. After that the answer is looked for on its platform.
WAY_KEPT = 60.0
#: Failures that nobody foresaw, of one event, before the person is told.
FAILURES = 3
#: What a later try may mend: adapters raise OSError (ConnectionError) where their platform can't be reached.
PASSING = (OSError, JournalUnavailable)
#: Ways back kept for events that are taken up again.
WAYS_BACK = 1000

SORRY = "Something went wrong on my side. Please try again."


class MemoryBot:
    """Answers what people write (`bot.ports.Messages`)."""

    def __init__(
        self,
        journal: Journal,
        memory: MemoryStore,
        chat: Chat,
        learner: Learner,
        rights: Rights,
        *,
        persona: str = prompt.PERSONA,
        allowance: int = 0,
        notify: Notify | None = None,
        remember: bool = True,
        later: bool = True,
        operator: bool = False,
        way_kept: float = WAY_KEPT,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Answer through `chat` with what `memory` recalls.

        `allowance` is a person's messages a minute (0: no limit); without `remember` nothing is kept to be learned.
        `later` says that what can't be answered now is retried (by `bot.core.recovery`), and `way_kept` for how many
        seconds the way back to it is kept. With `operator` whoever is answered runs the bot, and is told what is wrong.
        """
        self._journal = journal
        self._memory = memory
        self._chat = chat
        self._learner = learner
        self._persona = persona
        self._allowance = Allowance(allowance)
        self._notify = notify
        self._remember = remember
        self._later = later
        self._operator = operator
        self._room = prompt.TURNS_BUDGET
        self._way_kept = way_kept
        self._clock = clock
        self._jitter = jitter
        self._identities = rights.identities
        self._rights = rights
        self._conversations: dict[str, str] = {}
        self._ways_back: OrderedDict[str, tuple[ReplyHandle, asyncio.TimerHandle, MessageEvent]] = OrderedDict()
        self._failures: OrderedDict[str, int] = OrderedDict()

    async def admit(self, event: MessageEvent) -> bool:
        """Write the event down; False where it was seen before, or holds nothing to answer.

        Where the journal fails that is tried again for a while: a database that is started anew loses no message.
        """
        if event.blank:
            return False
        patience = PATIENCE if self._later else 0.0
        conversation = await retry_until_journal_is_back(lambda: self._journal.admit(event), patience=patience)
        if conversation is None:  # already seen, here or in another process
            return False
        self._conversations[event.id] = conversation
        return True

    async def on_message(self, event: MessageEvent, respond: ReplyHandle, *, admitted: bool = False) -> None:
        """Answer one message, once; whatever fails is logged without its text and told to the person."""
        try:
            if not admitted and not await self.admit(event):
                return
            conversation = self._conversations.pop(event.id)
            if not self._allowance.take(event.person.key, event.at):
                await self._journal.dismiss(event.id)
                if self._allowance.tell(event.person.key, asyncio.get_running_loop().time()):
                    await self._whisper(event, respond, TOO_MUCH)
                return
        except Exception as exc:  # noqa: BLE001 - the message boundary: one person's trouble stops nobody else
            log.error("%s: not taken in: %s", event.id, describe(exc))
            await self._apologise(event, respond)
            return
        await self._attempt(event, conversation, 0, respond)

    async def resume(
        self, event: MessageEvent, conversation: str, attempts: int, make: Callable[[MessageEvent], ReplyHandle]
    ) -> None:
        """Answer an event that a process, or an earlier try, left behind: in place, if any of it is already there."""
        # Looked at even on a way that we have been: the answer may be there and only its commit have failed, or
        # another process may have been at it since.
        respond = self._way_back(event) or make(event)
        try:
            found = await respond.found()
            # A word that the answer will follow is none.
            if found is not None and not found[0].rstrip().endswith(FOLLOWS):
                text, message_ids = found
                account = await self._identities.account(event.person)
                # The sentence that there is no answer is none: nothing to keep, or to learn from.
                failure = failed_with(text)
                await self._written(event, conversation, "" if failure else text, message_ids, account, failure)
                return
        except ClaimLost:
            await self._let_go(event)
            return
        except PlatformRefused as exc:
            await self._end(event, respond, exc)
            return
        except Exception as exc:  # noqa: BLE001 - the message boundary, as in `_attempt`
            log.error("%s: can't be taken up: %s", event.id, describe(exc))
            await self._failed(event, attempts, respond, exc)
            return
        await self._attempt(event, conversation, attempts, respond)

    async def _attempt(self, event: MessageEvent, conversation: str, attempts: int, respond: ReplyHandle) -> None:
        try:
            if await self._answer(event, conversation, respond):
                self._failures.pop(event.id, None)
            else:
                await self._put_off(event, attempts, respond)
        except ClaimLost:
            await self._let_go(event)
        except PlatformRefused as exc:
            await self._end(event, respond, exc)
        except Exception as exc:  # noqa: BLE001 - the message boundary: one person's trouble stops nobody else
            log.error("%s: no answer: %s", event.id, describe(exc))
            await self._failed(event, attempts, respond, exc)

    async def _answer(self, event: MessageEvent, conversation: str, respond: ReplyHandle) -> bool:
        """Recall, ask, reply, write down. False where the answer is to follow later."""
        if event.notice:
            await self._note(event, conversation, respond)
            return True
        again = self._later and self._fresh(event)
        begun = asyncio.get_running_loop().time()
        async with respond.working():
            account, turns, replied = await asyncio.gather(
                self._identities.account(event.person),
                self._journal.recent(conversation),
                self._journal.replied(event),
            )
            if event.opened:  # what was said before stays behind
                turns, replied, event = [], None, replace(event, quoted="")
            if replied is not None:  # what the journal knows of it, or has forgotten, goes before what is still shown
                event = replace(event, quoted="")
            memories = [] if account.paused or account.erasing else await self._recall(account.user_id, event, turns)
            requests = prompt.ladder(self._persona, event, memories, turns, replied, self._room)
            answer = Answer(self._chat, requests, again=again, event_id=event.id, operator=self._operator)
            snapshots = answer.snapshots()
            if account.paused and not account.told and await self._journal.tell_paused(account.user_id):
                snapshots = _behind(PAUSED_LINE, snapshots)
            message_ids = await respond.stream(snapshots)
        if again and answer.failure is not None and not isinstance(answer.failure, HOPELESS):
            return False
        await self._left_out(event, conversation, answer)
        await self._written(event, conversation, answer.text, message_ids, account, answer.failure)
        _log_answer(event, answer, len(memories), begun)
        return True

    async def _note(self, event: MessageEvent, conversation: str, respond: ReplyHandle) -> None:
        """Say what can't be read, with neither memories nor the model; written down like any answer, so said once."""
        message_ids = await respond.stream(_whole(event.notice))
        account = await self._identities.account(event.person)
        await self._journal.answered(event, account.user_id, conversation, event.notice, message_ids, learn=False)

    async def _left_out(self, event: MessageEvent, conversation: str, answer: Answer) -> None:
        """What had to be left out of a request to get an answer is not sent again."""
        if answer.lacking is not Lacking.TURNS:
            return
        if answer.too_long:
            # The model's window is smaller than was thought: from now on fewer turns go into a request.
            self._room = answer.turns_length // 2
            log.warning("%s: the model's window is small: turns may take %d characters", event.id, self._room)
            return
        # One of them is what the model refuses, and the next question would be refused with it.
        count = await self._journal.drop_turns(conversation)
        log.warning("%s: answered without %d earlier turns, which Claude refuses: they are dropped", event.id, count)

    async def _written(
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
        await self._journal.answered(event, account.user_id, conversation, text, message_ids, learn=learn, keep=keep)
        if learn:
            self._learner.noticed(account.user_id, event.scope)

    async def _recall(self, user_id: str, event: MessageEvent, turns: Sequence[Turn]) -> list[Memory]:
        query = prompt.said(event)
        context = [turn.text for turn in turns[-CONTEXT:]]
        try:
            memories = await self._memory.recall(user_id, event.recallable, query, context, event.at)
        except (MemoryUnavailable, TimeoutError) as exc:
            log.warning("%s: answered without memories: %s", event.id, type(exc).__name__)
            return []
        if self._notify:
            self._notify(Recalled(event.id, len(memories)))
        return memories

    def _fresh(self, event: MessageEvent) -> bool:
        return self._clock() - event.at < ANSWER_WITHIN

    async def _put_off(self, event: MessageEvent, attempts: int, respond: ReplyHandle) -> None:
        """Have the event taken up again: after a pause, or at the journal's next look where that can't be noted."""
        self._drop_way_back(event.id)
        timer = asyncio.get_running_loop().call_later(self._way_kept, self._ways_back.pop, event.id, None)
        self._ways_back[event.id] = (respond, timer, event)
        if len(self._ways_back) > WAYS_BACK:
            self._drop_way_back(next(iter(self._ways_back)))
        try:
            pause = min(AGAIN_FIRST * 2.0 ** min(attempts, 10), AGAIN_MOST)
            # Jitter: a hundred people whom one outage has put off don't come back all at once.
            await self._journal.postpone(event.id, pause * (1 + self._jitter() / 2))
        except JournalUnavailable as exc:
            log.error("%s: can't be put off: %s", event.id, describe(exc))

    async def _let_go(self, event: MessageEvent) -> None:
        log.warning("%s: another process has taken it over", event.id)
        self._failures.pop(event.id, None)
        await self._journal.abandon_claim(event.id)

    def _way_back(self, event: MessageEvent) -> ReplyHandle | None:
        """Take out the way back that was kept for an event, if one was.

        None where the message was edited since, or who reads its place has changed: it may hold an answer for before.
        """
        kept = self._drop_way_back(event.id)
        if kept is None:
            return None
        respond, before = kept
        same = (event.text, event.recallable, event.opened) == (before.text, before.recallable, before.opened)
        return respond if same else None

    def _drop_way_back(self, event_id: str) -> tuple[ReplyHandle, MessageEvent] | None:
        if event_id not in self._ways_back:
            return None
        respond, timer, event = self._ways_back.pop(event_id)
        timer.cancel()
        return respond, event

    async def _failed(self, event: MessageEvent, attempts: int, respond: ReplyHandle, failure: Exception) -> None:
        """Put the event off where it may yet be answered; else say so and end it."""
        # A platform or a disk that is out of reach is an outage like any other; what nobody foresaw is given up soon.
        if self._later and isinstance(failure, PASSING) and self._fresh(event):
            await self._put_off(event, attempts, respond)
            return
        failures = self._failures[event.id] = self._failures.pop(event.id, 0) + 1
        if len(self._failures) > WAYS_BACK:
            self._failures.popitem(last=False)
        if self._later and failures <= FAILURES:
            await self._put_off(event, attempts, respond)
            return
        del self._failures[event.id]
        if await self._dismissed(event):
            await self._apologise(event, respond)

    async def _end(self, event: MessageEvent, respond: ReplyHandle, refusal: PlatformRefused) -> None:
        """End an exchange whose answer the platform refuses for good, and say so where that can be said."""
        log.warning("%s: the platform refuses the answer for good: %s", event.id, refusal.code)
        self._failures.pop(event.id, None)
        if await self._dismissed(event):
            await self._whisper(event, respond, refusal.sentence)

    async def _dismissed(self, event: MessageEvent) -> bool:
        """End an event without an answer; False where it was forgotten meanwhile, or another process has it."""
        try:
            return await self._journal.dismiss(event.id)
        except JournalUnavailable as exc:
            log.error("%s: can't be ended: %s", event.id, describe(exc))
            return True

    async def _apologise(self, event: MessageEvent, respond: ReplyHandle) -> None:
        await self._whisper(event, respond, SORRY)

    async def _whisper(self, event: MessageEvent, respond: ReplyHandle, sentence: str) -> None:
        try:
            await respond.whisper(sentence)
        except PlatformRefused as exc:
            log.warning("%s: the person can't be told: %s", event.id, exc.code)
        except Exception as exc:  # noqa: BLE001 - the platform itself may be what failed
            log.error("%s: the person can't be told: %s", event.id, describe(exc))

    async def confirm(self, event_id: str) -> None:
        """Raise ClaimLost where another process gives the answer to an event."""
        await self._journal.confirm(event_id)


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


async def _behind(line: str, snapshots: AsyncIterator[str]) -> AsyncIterator[str]:
    """The snapshots, each with `line` before it."""
    async for snapshot in snapshots:
        yield f"{line}\n\n{snapshot}"
