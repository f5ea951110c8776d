"""The memory loop, one message at a time: read before you respond, write after you respond."""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from bot.aio.rate_limit import Allowance
from bot.aio.slots import FairSlots
from bot.commands.interactions import TOO_MUCH
from bot.commands.offers import Offers
from bot.core import prompt, rules
from bot.core.answer import FOLLOWS, PERMANENT_ERRORS, Answer, Omitted, failed_with
from bot.core.asides import PAUSED_LINE, Asides, without
from bot.core.elsewhere import Elsewhere
from bot.core.files import FileReader
from bot.core.gathering import Gatherer
from bot.core.identity import Identities
from bot.core.in_progress import AnswerInProgress, InProgress, Restarted, Withdrawn, was_stopped
from bot.core.learning import Learner
from bot.core.nearby import others
from bot.core.retries import HANDLE_KEPT, PATIENCE, SORRY, Retries, retry_until_journal_is_back, whisper, withdraw
from bot.core.served import ELSEWHERE, Doorkeeper
from bot.core.spending import FreeCharge
from bot.core.thoughts import Thoughts
from bot.core.tools import KITS, TOOLS, Toolbox, Workshop
from bot.core.web import is_from_web
from bot.events import MessageEvent
from bot.logs import describe
from bot.model import Account, Person, Prompt
from bot.ports import (
    Charge,
    Chat,
    ChatError,
    Inbox,
    Introductions,
    LimitReached,
    MemoryStore,
    MemoryUnavailable,
    Notices,
    Notify,
    OffRecord,
    Pauses,
    PlatformRefused,
    ReplyHandle,
    Spending,
    Turns,
)
from bot.prices import dollars
from bot.usage import Payer, Purpose

log = logging.getLogger(__name__)

#: Answers that are given at once, and those of one person among them.
CONCURRENT = 64
PER_PERSON = 2
#: Seconds in the queue after which an event is read again: it may have been forgotten or edited meanwhile.
STALE = 1.0
#: Seconds after which a person is told again that the limit is reached.
TELL_AGAIN = 3600.0
#: Seconds that an answer waits until what an earlier attempt at it has kept is forgotten.
UNDOING = 5.0
#: What is left out of a request that still has what stands around the question.
_WITH_NEARBY = (Omitted.NOTHING, Omitted.FILES)


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
        spending: Spending,
        notices: Notices,
        *,
        persona: str = rules.PERSONA,
        allowance: int = 0,
        concurrent: int = CONCURRENT,
        context: int = 0,
        notify: Notify | None = None,
        remember: bool = True,
        later: bool = True,
        operator: bool = False,
        files: FileReader | None = None,
        door: Doorkeeper | None = None,
        turns_hours: float = 24,
        introductions: Introductions | None = None,
        off_record: OffRecord | None = None,
        in_progress: InProgress | None = None,
        elsewhere: Elsewhere | None = None,
        offers: Offers | None = None,
        handle_kept: float = HANDLE_KEPT,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Answer through `chat` with what `memory` recalls.

        `allowance` is how many messages a person may send per minute (0: no limit). `context` is how many messages
        around a question in a shared place are read with it. Without `remember`, nothing is kept for learning.
        With `later`, failed answers are retried (by `bot.core.recovery`). With `operator`, whoever
        it answers runs the bot and is told what is wrong with it. Without `introductions` nobody is told under their
        first answer that they are remembered. Turns are kept for `turns_hours`. `off_record` keeps
        conversations out of learning where their people ask for it in their own words.
        """
        self._inbox = inbox
        self._turns = turns
        self._pauses = pauses
        self._identities = identities
        self._memory = memory
        self._chat = chat
        self._learner = learner
        self._persona = persona
        self._spending = spending
        self._notices = notices
        self._slots = FairSlots(concurrent, PER_PERSON)
        self._allowance = Allowance(allowance)
        self._remember = remember
        self._patience = PATIENCE if later else 0.0
        self._operator = operator
        gathers = identities, turns, memory, files or FileReader(), spending
        self._gatherer = Gatherer(*gathers, around=context, notify=notify, remember=remember)
        self._workshop = Workshop(memory, self._gatherer, remember=remember, off_record=off_record)
        self._offers = offers
        self._door = door or Doorkeeper()
        self._introductions = introductions
        self._turns_hours = turns_hours
        self._clock = clock
        self._room = prompt.TURNS_BUDGET
        self._retries = Retries(inbox, enabled=later, handle_kept=handle_kept, clock=clock, jitter=jitter)
        self._conversations: dict[str, str] = {}
        self._in_progress = in_progress or InProgress()
        self._in_progress.follow(self._retries.withdraw)
        self._elsewhere = elsewhere or Elsewhere(self._in_progress)
        self._thoughts = Thoughts(inbox, self._in_progress)

    async def admit(self, event: MessageEvent) -> bool:
        """Record the event. False if it was seen before, isn't served, or has nothing to answer.

        Retries for a while if the journal fails, so that a database restart loses no message. What isn't served is
        never recorded; True then means that the person is to be told so.
        """
        if event.blank:
            return False
        if not self._door.lets_in(event):
            return await self._door.should_tell(event)
        conversation = await retry_until_journal_is_back(lambda: self._inbox.admit(event), patience=self._patience)
        if conversation is None:  # already seen, here or in another process
            return False
        self._conversations[event.id] = conversation
        self._thoughts.admitted(event)
        return True

    async def on_message(self, event: MessageEvent, reply: ReplyHandle, *, admitted: bool = False) -> None:
        """Answer one message, once. Failures are logged without its text, and the person is told."""
        if event.confidential:
            await self._answer_confidentially(event, reply)
            return
        try:
            if not admitted and not await self.admit(event):
                return
            if not self._door.lets_in(event):
                await whisper(event, reply, ELSEWHERE)
                return
            conversation = self._conversations.pop(event.id)
            if event.stops and await self._stopped(event.person.key, conversation):
                await self._inbox.dismiss(event.id)
                return
            if not self._allowance.spend(event.person.key, event.at):
                await self._inbox.dismiss(event.id)
                await self._say_too_much(event, reply)
                return
        except Exception as exc:  # noqa: BLE001 - the message boundary: one message's failure affects no other
            log.error("%s: could not be admitted: %s", event.id, describe(exc))
            await whisper(event, reply, SORRY)
            return
        joined = self._thoughts.joins(event)
        if await self._thoughts.answered_along(event):
            return
        await self._in_progress.turn(event.person.key, conversation)
        with self._in_progress.begin(event, conversation) as progress:
            answer = partial(self._answer, event, conversation, reply, progress, stale=joined)
            await self._retries.attempt(progress, 0, reply, answer)

    async def _answer_confidentially(self, event: MessageEvent, reply: ReplyHandle) -> None:
        """Answer what is recorded nowhere, in one attempt; whatever prevents that is said each time."""
        try:
            if not self._door.lets_in(event):
                sentence = ELSEWHERE
            elif not self._allowance.spend(event.person.key, event.at):
                sentence = TOO_MUCH
            else:
                begun = asyncio.get_running_loop().time()
                async with self._slots.taken(event.person.key):
                    await self._answer_now(event, "", reply, AnswerInProgress(event, ""), begun)
                return
        except LimitReached as exc:
            log.info("%s: not answered: %s", event.id, exc)
            sentence = exc.sentence
        except PlatformRefused as exc:
            log.warning("%s: the platform refuses the answer for good: %s", event.id, exc.code)
            sentence = exc.sentence
        except Exception as exc:  # noqa: BLE001 - the message boundary: one message's failure affects no other
            log.error("%s: failed: %s", event.id, describe(exc))
            sentence = SORRY
        await whisper(event, reply, sentence)

    async def resume(
        self, event: MessageEvent, conversation: str, attempts: int, make: Callable[[MessageEvent], ReplyHandle]
    ) -> None:
        """Answer an event left behind by a dead process or a failed attempt, completing what it has already shown."""
        reply = self._retries.take_handle(event) or make(event)

        async def answer() -> bool:
            if not self._door.lets_in(event):  # it was when it was admitted
                await self._inbox.dismiss(event.id)
                return True
            # Look even if the handle was used before: the answer may have been shown and only its commit failed, or
            # another process may have worked on it since.
            return await self._was_shown(event, conversation, reply) or await self._answer(
                event, conversation, reply, progress, stale=True
            )

        await self._in_progress.turn(event.person.key, conversation)
        with self._in_progress.begin(event, conversation) as progress:
            progress.redone = True
            await self._retries.attempt(progress, attempts, reply, answer)

    async def on_stop(self, event_id: str, person: Person) -> bool:
        """Stop the answer to a message for the person who wrote it; False if there is none to stop."""
        return self._in_progress.stop_one(event_id, person.key) or await self._elsewhere.stop_one(event_id, person.key)

    async def _stopped(self, person_key: str, conversation: str) -> bool:
        """Stop the answers that somebody is getting in a conversation, here and elsewhere; False if there are none."""
        here = self._in_progress.stop(person_key, conversation)
        return await self._elsewhere.stop(person_key, conversation) or here

    async def confirm(self, event_id: str) -> None:
        """Raise ClaimLost if another process has taken the event over."""
        await self._inbox.confirm(event_id)

    async def _was_shown(self, event: MessageEvent, conversation: str, reply: ReplyHandle) -> bool:
        """Commit an answer that an earlier attempt has shown; False if there is none."""
        found = await reply.found()
        if found is None or found[0].rstrip().endswith(FOLLOWS):  # a promise of an answer isn't one
            return False
        shown, message_ids = without(found[0]), found[1]
        account = await self._identities.account(event.person)
        # An error message isn't an answer either: nothing to keep or to learn from.
        failure = failed_with(shown.made)
        # Nobody can tell any more whether others' words were in view, which it may repeat.
        unkept = failure or was_stopped(shown.made) or self._gatherer.reads_around(event)
        parts = event, conversation, "" if unkept else shown.made, message_ids, account, failure
        await self._write_down(*parts, introduced=shown.introduced, off_record=shown.off_record)
        return True

    async def _answer(
        self, event: MessageEvent, conversation: str, reply: ReplyHandle, progress: AnswerInProgress, *, stale: bool
    ) -> bool:
        """Answer once it is this person's turn. False if the answer follows later.

        What is `stale` is read again before: others may have joined it.
        """
        if event.notice and not event.bare:
            await self._note(event, conversation, reply)
            return True
        now = asyncio.get_running_loop().time
        begun = now()
        async with self._slots.taken(event.person.key):
            if stale or now() - begun > STALE or self._thoughts.has_grown(event):
                current = await self._inbox.reread(event)
                if current is None:
                    return True
                event = current
            try:
                while True:
                    try:
                        return await self._answer_now(event, conversation, reply, progress, begun)
                    except Restarted as exc:
                        progress.redone = True
                        event = await self._reread(event, reply, exc)
            except Withdrawn:
                await self._withdraw(event, reply)
            except LimitReached as exc:
                await self._say_limit(event, conversation, reply, exc)
            return True

    async def _reread(self, event: MessageEvent, reply: ReplyHandle, restarted: Restarted) -> MessageEvent:
        """The event as it reads now. Raises Withdrawn if it isn't to be answered any more."""
        await self._inbox.confirm(event.id)  # else what another process shows would be withdrawn
        current = await self._inbox.reread(event, joining=restarted.joining)
        if current is None or all(each.blank for each in current.thought):
            raise Withdrawn
        if restarted.edited and not self._allowance.spend(event.person.key, self._clock()):
            await self._say_too_much(event, reply)
            raise Withdrawn
        what = "edited" if restarted.edited else f"joined by {len(current.joined)}"
        log.info("%s: %s while it was being answered: answered anew", event.id, what)
        return replace(current, bare=False, notice="") if event.bare and current.text.strip() else current

    async def _say_too_much(self, event: MessageEvent, reply: ReplyHandle) -> None:
        """Tell the person, once in a while, that their allowance is used up."""
        if self._allowance.should_tell(event.person.key, asyncio.get_running_loop().time()):
            await whisper(event, reply, TOO_MUCH)

    async def _withdraw(self, event: MessageEvent, reply: ReplyHandle) -> None:
        """End an event whose message is gone, and remove what is shown of its answer."""
        log.info("%s: withdrawn while it was being answered", event.id)
        await withdraw(event.id, reply)
        await self._inbox.dismiss(event.id)

    async def _answer_now(
        self, event: MessageEvent, conversation: str, reply: ReplyHandle, progress: AnswerInProgress, begun: float
    ) -> bool:
        """Recall, ask, reply, write down. Raises LimitReached, with nothing shown, if nothing more may be spent.

        Raises Restarted and Withdrawn as soon as that is due, with nothing written down.
        """
        self._in_progress.begun(progress, event)
        again = not event.confidential and self._retries.allowed(event)
        async with reply.working(), self._gatherer.gathered(event, conversation, reply) as found:
            thought = replace(event, quoted=found.event.quoted, joined=found.event.joined)
            event, account = found.event, found.account
            if event.notice and not found.nearby:  # a bare mention of which nobody can tell what it means
                await self._note(thought, conversation, reply)
                return True
            if progress.redone:
                await self._undo(event, account)
            said = found.memories, found.turns, found.replied
            known = found.reach, found.held
            requests = prompt.ladder(self._persona, event, *said, self._room, found.nearby, found.files, TOOLS, *known)
            tools = Toolbox(self._workshop, found, reply, KITS, event.id, conversation)
            recorded = "" if event.confidential else event.id
            charge = partial(self._charge, Payer.at(event.person.key, account.user_id, event.scope, recorded))
            answering = partial(Answer, again=again, tools=tools.run, event_id=event.id, operator=self._operator)
            async with answering(self._chat, requests, charge) as answer:
                asides = Asides(
                    *(event, account, self._introductions, self._notices, lambda: tools.off_record),
                    remember=self._remember,
                    hours=self._turns_hours,
                )
                snapshots = asides.follow(answer, answer.snapshots())
                if account.paused and not account.pause_announced and await self._pauses.announce(account.user_id):
                    snapshots = _after(PAUSED_LINE, snapshots)
                message_ids = await reply.stream(progress.follow(snapshots))
        progress.check(whole=True)
        if again and answer.failure is not None and not isinstance(answer.failure, PERMANENT_ERRORS):
            return False
        if not event.confidential:
            await self._drop_refused(event, conversation, answer)
            read = others(found.nearby, event.person.key) if answer.omitted in _WITH_NEARBY else ()
            shown = thought, conversation, answer.text, message_ids, account, answer.failure
            read = tuple({*read, *tools.read})
            learn, introduced, unlearned = not tools.unlearned, asides.introduced, asides.off_record
            if not await self._write_down(*shown, read, learn=learn, introduced=introduced, off_record=unlearned):
                await self._elsewhere.look()  # whether its message was deleted, as another process may have heard
        progress.check_deleted()
        if self._offers is not None:
            await self._offers.make(event, reply, message_ids, tools.buttons, tools.forget)
        _log_answer(event, answer, len(found.memories), begun)
        return True

    async def _undo(self, event: MessageEvent, account: Account) -> None:
        """Forget what an earlier attempt was asked to remember: this one is asked anew, perhaps in other words."""
        if not self._remember:
            return
        try:
            async with asyncio.timeout(UNDOING):
                await self._memory.forget_sources([event.id], account.user_id)
        except (MemoryUnavailable, TimeoutError) as exc:
            log.warning("%s: answered again beside what its first attempt kept: %s", event.id, type(exc).__name__)

    async def _charge(self, payer: Payer, request: Prompt) -> Charge:
        """Reserve what a request may take. Raises LimitReached."""
        max_usage = await self._chat.max_usage(request)
        return await self._spending.charge(payer, Purpose.ANSWER, *max_usage) if max_usage is not None else FreeCharge()

    async def _say_limit(self, event: MessageEvent, conversation: str, reply: ReplyHandle, limit: LimitReached) -> None:
        """End an event that can't be answered today, and say so once in a while; where an answer was promised, there.

        Nothing of it is kept.
        """
        log.info("%s: not answered: %s", event.id, limit)
        if reply.begun:
            message_ids = await reply.stream(_whole(limit.sentence))
            user_id = await self._identities.user_id(event.person)
            await self._inbox.answered(event, user_id, conversation, "", message_ids, learn=False, keep=False)
            return
        dismissed = await self._inbox.dismiss(event.id, together=True)
        if dismissed and (self._operator or await self._notices.first("limit", event.person.key, TELL_AGAIN)):
            await whisper(event, reply, limit.sentence)

    async def _note(self, event: MessageEvent, conversation: str, reply: ReplyHandle) -> None:
        """Say what can't be read, without memories or the model. Recorded like any answer, so said once."""
        message_ids = await reply.stream(_whole(event.notice))
        account = await self._identities.account(event.person)
        await self._inbox.answered(event, account.user_id, conversation, event.notice, message_ids, learn=False)

    async def _drop_refused(self, event: MessageEvent, conversation: str, answer: Answer) -> None:
        """Stop sending what had to be left out of the request to get an answer."""
        if answer.omitted is not Omitted.TURNS:
            return
        if answer.too_long:
            # The model's context window is smaller than assumed: send fewer turns from now on.
            self._room = answer.turns_length // 2
            log.warning("%s: the model's context window is small; turns limited to %d characters", event.id, self._room)
            return
        # The model refuses one of them, and would refuse the next question because of it.
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
        read: Sequence[str] = (),
        *,
        learn: bool = True,
        introduced: bool = False,
        off_record: bool = False,
    ) -> bool:
        """Commit an answer, or that there is none. What the model refuses is neither kept as context nor learned.

        False, with nothing kept, if the event was gone.
        """
        keep = failure is None or not failure.about_request
        learn = learn and keep and self._remember and not account.paused and not off_record
        was_open = await self._inbox.answered(
            *(event, account.user_id, conversation, text, message_ids),
            learn=learn,
            keep=keep,
            read=read,
            introduced=introduced,
            quotes=is_from_web(text),
            off_record=off_record,
        )
        if learn:
            self._learner.noticed(account.user_id, event.scope)
        return was_open


async def _whole(text: str) -> AsyncIterator[str]:
    """Yield `text` as a complete answer."""
    yield text


def _log_answer(event: MessageEvent, answer: Answer, recalled: int, started: float) -> None:
    """Log one line per answer: its latency and its tokens."""
    whole = asyncio.get_running_loop().time() - started
    if answer.failure is not None:
        log.warning("%s: not answered after %.2f s: %s", event.id, whole, type(answer.failure).__name__)
        return
    first = (answer.first_word_at or started) - started
    took = event.id, first, whole, recalled, answer.usage, dollars(answer.nanodollars)
    used = "".join(f"; {name}: {count}" for name, count in sorted(answer.used.items()) if name in KITS)
    line = "%s: answered: first word after %.2f s, whole after %.2f s, %d memories recalled, tokens: %s; %s%s"
    log.info(line, *took, f"; tools{used[1:]}" if used else "")


async def _after(line: str, snapshots: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    """Yield the snapshots, each prefixed with `line`."""
    async with aclosing(snapshots):
        async for snapshot in snapshots:
            yield f"{line}\n\n{snapshot}"
