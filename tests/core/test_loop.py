"""The memory loop."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.commands.interactions import TOO_MUCH, LimitedCommands
from bot.core.answer import FOLLOWS, LATE, LONGEST, SLOW, Answer
from bot.core.asides import MASKED, PAUSED_LINE
from bot.core.learning import Learner
from bot.core.retries import SORRY
from bot.core.spending import FreeCharge
from bot.events import CommandEvent, Learned, MessageEvent, PressEvent, Recalled
from bot.model import Account, Person, Place, Prompt, Turn
from bot.ports import (
    CUT,
    ChatEmpty,
    ChatError,
    ChatMisconfigured,
    ChatOverloaded,
    ChatRefused,
    ChatTooLong,
    JournalUnavailable,
    MemoryUnavailable,
    PlatformRefused,
)
from bot.usage import Usage
from tests.makers import ANN, BOB, DM, GENERAL, MONDAY, SECRET, memory, message, turn
from tests.parts import make_bot, make_commands, make_privacy
from tests.stub_journal import StubAccounts, StubInbox, StubJournal, StubTurns
from tests.stubs import StubChat, StubMemory, StubReplyHandle


class World:
    """A bot on stubs."""

    def __init__(
        self,
        chat: StubChat | None = None,
        *,
        allowance: int = 0,
        journal: StubJournal | None = None,
        handle_kept: float = 60,
    ) -> None:
        self.journal = journal or StubJournal()
        self.memory = StubMemory()
        self.chat = chat or StubChat()
        self.heard: list[Recalled | Learned] = []
        self.now = MONDAY + timedelta(minutes=10)
        learner = Learner(self.journal.outbox, self.memory)
        privacy = make_privacy(self.journal, self.memory, None, learner)
        self.bot = make_bot(
            self.journal,
            self.memory,
            self.chat,
            learner,
            privacy.identities,
            allowance=allowance,
            notify=self.heard.append,
            handle_kept=handle_kept,
            clock=lambda: self.now,
        )
        self.commands = LimitedCommands(make_commands(self.journal, self.memory, privacy), allowance)

    async def again(self, text: str, reply: StubReplyHandle, *, attempts: int = 1) -> None:
        """Take the message up again, as another process would."""
        event = message(text)
        await self.bot.resume(event, event.place.key, attempts, lambda _: reply)

    async def say(self, text: str, **kwargs: object) -> StubReplyHandle:
        reply = StubReplyHandle()
        await self.bot.on_message(message(text, **kwargs), reply)  # type: ignore[arg-type]
        return reply


async def test_the_journal_is_asked_once_before_the_answer() -> None:
    """Whose message it is and what was said before are read side by side: over a network each takes its time."""

    both = asyncio.Barrier(2)  # each of the two comes back once the other was asked for as well

    class Accounts(StubAccounts):
        async def account(self, person_key: str, place: Place | None = None) -> Account:
            await asyncio.wait_for(both.wait(), 1)
            return await super().account(person_key, place)

    class Turns(StubTurns):
        async def recent(self, conversation: str) -> list[Turn]:
            await asyncio.wait_for(both.wait(), 1)
            return await super().recent(conversation)

    journal = StubJournal()
    journal.accounts, journal.turns = Accounts(journal.pauses, journal.erasures), Turns()
    assert (await World(journal=journal).say("hello")).shown


async def test_an_answer_uses_what_is_remembered() -> None:
    """The memory reaches the model, the answer reaches the person, and the exchange reaches the journal."""
    world = World(StubChat(["21 ", "°C"]))
    world.memory.of[ANN.key] = [memory("Prefers Celsius")]
    reply = await world.say("What's a comfortable room temperature?")
    assert "Prefers Celsius" in world.chat.prompts[0].briefing
    assert reply.shown == ["21 ", "21 °C"]
    assert reply.busy == [True, False]
    assert [(exchange.text, exchange.answer) for exchange in world.journal.outbox.kept] == [
        ("What's a comfortable room temperature?", "21 °C")
    ]
    assert world.heard == [Recalled("slack:T1:D1:1", 1)]


async def test_a_second_copy_is_let_pass() -> None:
    """The same event twice gets one answer."""
    world = World()
    assert (await world.say("hi")).shown == ["ok"]
    second = await world.say("hi")
    assert (second.shown, second.whispers) == ([], [])


async def test_nothing_to_answer_is_answered_with_silence() -> None:
    """White space alone asks for nothing."""
    world = World()
    reply = await world.say(" \n\t")
    assert (reply.shown, world.journal.inbox.seen) == ([], set())


async def test_a_private_memory_stays_out_of_channels() -> None:
    """A DM recalls all of a person's memories; a channel none that its readers couldn't have read."""
    world = World()
    world.memory.of[ANN.key] = [
        memory("from DM", number=1),
        memory("from #general", number=2, scope=GENERAL.scope),
        memory("from #secret", number=3, scope=SECRET.scope),
    ]
    seen = {}
    for number, place in enumerate((DM, GENERAL, SECRET)):
        await world.say("hi", number=number, place=place)
        system = world.chat.prompts[-1].briefing
        seen[place.name] = {text for text in ("DM", "#general", "#secret") if f"from {text}" in system}
    assert seen == {"DM": {"DM", "#general", "#secret"}, "#general": {"#general"}, "#secret": {"#general", "#secret"}}


async def test_another_persons_memories_are_never_used() -> None:
    """Memories are looked up under the speaker's own id."""
    world = World()
    world.memory.of[ANN.key] = [memory("Ann's secret")]
    await world.say("hi", person=BOB)
    assert "Ann's secret" not in world.chat.prompts[0].briefing


async def test_failing_memory_leaves_a_plain_answer() -> None:
    """With mem0 down the person is answered all the same, and the exchange is kept."""
    world = World()
    world.memory.failure = MemoryUnavailable("down")
    reply = await world.say("hi")
    assert reply.shown == ["ok"]
    assert len(world.journal.outbox.kept) == 1


@pytest.mark.parametrize(
    "failure", [ChatRefused(), ChatTooLong(), ChatMisconfigured("HTTP 400", about_request=True)], ids=str
)
async def test_what_the_model_refuses_for_good_is_told_and_not_kept(failure: ChatError) -> None:
    """The person reads one plain sentence; what was refused is neither context of the next question nor learned."""
    world = World(StubChat([failure], ["Paris."]))
    refused = await world.say("something nasty")
    assert refused.shown == [failure.sentence]
    assert world.journal.outbox.kept == []
    assert (await world.say("the capital of France?", number=2)).shown == ["Paris."]
    assert [text for _, text in world.chat.prompts[-1].messages] == ["the capital of France?"]


async def test_what_a_refusal_breaks_off_is_withdrawn() -> None:
    """A refusal in midstream takes what was shown along."""
    world = World(StubChat(["Take two parts of", ChatRefused()]))
    assert (await world.say("how is it made?")).shown[-1] == ChatRefused.sentence


async def test_an_earlier_turn_that_is_refused_is_dropped() -> None:
    """The harmless question is answered without the earlier turns, which are not sent again."""

    def reply(prompt: Prompt) -> str:
        if any("nasty" in text for _, text in prompt.messages):
            raise ChatRefused
        return "Paris."

    world = World(StubChat(reply=reply))
    world.journal.turns.of[DM.key] = [turn("user", "nasty"), turn("assistant", "Hm.")]
    world.memory.of[ANN.key] = [memory("Likes tea")]
    assert (await world.say("the capital of France?")).shown == ["Paris."]
    assert "Likes tea" in world.chat.prompts[-1].briefing
    await world.say("and of Spain?", number=2)
    assert len(world.chat.prompts) == 3
    assert [text for _, text in world.chat.prompts[-1].messages] == [
        "the capital of France?",
        "Paris.",
        "and of Spain?",
    ]


async def test_a_memory_that_is_refused_leaves_a_plain_answer() -> None:
    """The question is answered without memories; the conversation and the memories stay."""

    def reply(prompt: Prompt) -> str:
        if "nasty" in prompt.briefing:
            raise ChatRefused
        return "Paris."

    world = World(StubChat(reply=reply))
    world.journal.turns.of[DM.key] = [turn("user", "hi"), turn("assistant", "Hello.")]
    world.memory.of[ANN.key] = [memory("nasty")]
    assert (await world.say("the capital of France?")).shown == ["Paris."]
    assert len(world.journal.turns.of[DM.key]) == 4
    assert len(world.memory.of[ANN.key]) == 1


async def test_a_small_window_takes_fewer_turns() -> None:
    """Where the turns are what is too long, the answer goes out without them, and the next one with the newest."""

    def reply(prompt: Prompt) -> str:
        if sum(len(text) for _, text in prompt.messages) > 1000:
            raise ChatTooLong
        return "ok"

    world = World(StubChat(reply=reply))
    world.journal.turns.of[DM.key] = [turn("user", "x" * 700), turn("assistant", "y" * 500)]
    assert (await world.say("hi")).shown == ["ok"]
    assert (await world.say("and now?", number=2)).shown == ["ok"]
    assert len(world.chat.prompts) == 3
    assert [text for _, text in world.chat.prompts[-1].messages] == ["hi", "ok", "and now?"]


@pytest.mark.parametrize("shown", [ChatRefused.sentence, f"Half an answer\n\n{ChatError.sentence}"])
async def test_a_failure_found_after_a_crash_is_no_answer(shown: str) -> None:
    """The sentence that there is no answer, found where the answer belongs, is neither kept nor learned as one."""
    world = World()
    reply = StubReplyHandle()
    reply.there = (shown, ("reply:1",))
    await world.again("hi", reply)
    assert not any(exchange.answer for exchange in world.journal.outbox.kept)
    assert not any(turn.author == "assistant" and turn.text for turn in world.journal.turns.of[DM.key])
    assert world.chat.prompts == []


async def test_a_model_that_says_nothing_is_asked_twice_and_no_more() -> None:
    """An empty answer is no outage: after a second try the person is told, and what they said is kept."""
    world = World(StubChat([""], [" \n"]))
    reply = await world.say("my cat is called Tom")
    assert reply.shown[-1] == ChatEmpty.sentence
    assert (len(world.chat.prompts), world.journal.inbox.postponed) == (2, [])
    assert [exchange.text for exchange in world.journal.outbox.kept] == ["my cat is called Tom"]


async def test_an_answer_has_a_longest_length() -> None:
    """A model that doesn't stop is cut, says so, and isn't read any further."""
    read = 0

    class Endless(StubChat):
        async def answer(self, prompt: Prompt) -> AsyncGenerator[str, None]:
            nonlocal read
            while True:
                read += 1
                yield "word " * 100

    world = World(Endless())
    shown = (await world.say("tell me all")).shown
    assert shown[-1].endswith(CUT)
    assert len(shown[-1]) == LONGEST + len(CUT)
    assert read < LONGEST / 400
    assert world.journal.outbox.kept[0].answer == shown[-1]


async def free(_request: Prompt) -> FreeCharge:
    return FreeCharge()


@pytest.mark.parametrize("heard", [0, 3])
async def test_an_answer_has_a_total_deadline(heard: int) -> None:
    """What trickles in for too long ends: with what is there, which says so, or as an outage where nothing is."""

    class Trickling(StubChat):
        async def answer(self, prompt: Prompt) -> AsyncGenerator[str, None]:
            for _ in range(heard):
                yield "word "
            while True:
                await asyncio.sleep(0.02)
                yield ""

    answer = Answer(Trickling(), [Prompt("", ())], free, again=False, longest_time=0.1)
    shown = [snapshot async for snapshot in answer.snapshots()]
    if heard:
        assert (answer.text, answer.failure) == ("word word word " + LATE, None)
        assert shown[-1] == answer.text
    else:
        assert type(answer.failure) is ChatError
        assert shown == [ChatError.sentence]


async def test_silence_ends_at_the_deadline_and_a_stop_at_once() -> None:
    """A model that says nothing at all is given up in time; who stops the bot meanwhile isn't kept waiting for that."""

    class Silent(StubChat):
        async def answer(self, prompt: Prompt) -> AsyncGenerator[str, None]:
            await asyncio.Event().wait()
            yield ""

    async def shown(seconds: float) -> list[str]:
        answer = Answer(Silent(), [Prompt("", ())], free, again=False, longest_time=seconds)
        return [snapshot async for snapshot in answer.snapshots()]

    assert await asyncio.wait_for(shown(0.05), 5) == [ChatError.sentence]
    stopped = asyncio.create_task(shown(60))
    await asyncio.sleep(0.02)
    stopped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(stopped, 5)


async def test_the_operator_is_told_what_is_wrong() -> None:
    """In the terminal whoever asks runs the bot, and reads the reason instead of being sent to a log."""
    failure = ChatMisconfigured("HTTP 401", hint="Claude refuses ANTHROPIC_API_KEY (HTTP 401).")
    for operator, told in ((True, failure.hint), (False, failure.sentence)):
        answer = Answer(StubChat([failure]), [Prompt("", ())], free, again=False, operator=operator)
        assert [snapshot async for snapshot in answer.snapshots()] == [told]


@pytest.mark.parametrize("failure", [ChatOverloaded(), ChatError("down")])
async def test_in_an_outage_the_answer_follows_in_place(failure: ChatError) -> None:
    """Overloaded or down, the person is told that the answer will follow, and gets it on the same way back."""
    world = World(StubChat([failure], [failure] if not isinstance(failure, ChatOverloaded) else ["here"], ["here"]))
    reply = await world.say("hi")
    assert reply.shown == [f"{failure.reason} {FOLLOWS}"]
    assert [event_id for event_id, _ in world.journal.inbox.postponed] == ["slack:T1:D1:1"]
    assert world.journal.outbox.kept == []
    stranger = StubReplyHandle()
    await world.again("hi", stranger)
    assert reply.shown[1:] == ["here"]
    assert stranger.shown == []
    assert [exchange.answer for exchange in world.journal.outbox.kept] == ["here"]


async def test_after_an_hour_the_question_is_closed() -> None:
    """An outage that lasts ends with a plain sentence; what was asked is kept to be learned."""
    world = World(StubChat([ChatOverloaded()]))
    world.now += timedelta(hours=2)
    reply = await world.say("hi")
    assert reply.shown == [ChatOverloaded.sentence]
    assert len(world.journal.outbox.kept) == 1


async def test_a_silent_model_is_excused_until_it_speaks() -> None:
    """A person who waits long for the first word is told that the answer will follow, and then gets it in place."""
    gate = asyncio.Event()

    class Slow(StubChat):
        async def answer(self, prompt: Prompt) -> AsyncGenerator[str, None]:
            await gate.wait()
            yield "late"

    shown = []
    async for snapshot in Answer(Slow(), [Prompt("", ())], free, again=True, patience=0.01).snapshots():
        shown.append(snapshot)
        gate.set()
    assert shown == [SLOW, "late"]


async def test_an_answer_that_is_there_is_not_given_again() -> None:
    """After a crash behind the last send, the answer that is shown is written down, and the model isn't asked."""
    world = World()
    reply = StubReplyHandle()
    reply.there = ("it was 42", ("reply:7",))
    await world.again("what was it?", reply)
    assert (reply.shown, world.chat.prompts) == ([], [])
    assert [exchange.answer for exchange in world.journal.outbox.kept] == ["it was 42"]


async def test_a_word_that_it_will_follow_is_no_answer() -> None:
    """After a restart amid an outage the question is still answered."""
    world = World(StubChat(["42"]))
    reply = StubReplyHandle()
    reply.there = (f"{ChatError.reason} {FOLLOWS}", ("reply:7",))
    await world.again("what was it?", reply)
    assert reply.shown == ["42"]


async def test_a_cut_stream_is_redone_in_place() -> None:
    """What is shown stays until the new text overtakes it, and nothing shows twice."""
    world = World(StubChat(["Once upon", ChatError("cut")], ["Once ", "upon a ", "time"]))
    reply = await world.say("a story")
    assert reply.shown == ["Once upon", "Once upon a ", "Once upon a time"]
    assert world.journal.outbox.kept[0].answer == "Once upon a time"


async def test_a_stream_cut_for_good_says_so() -> None:
    """Where the second try breaks too, the part that came stays, and a sentence tells that it isn't all."""
    world = World(StubChat(["Half", ChatError("cut")], ["Ha", ChatError("cut")]))
    reply = await world.say("a story")
    assert reply.shown[-1] == f"Half\n\n{ChatError.reason} {FOLLOWS}"


async def test_each_answer_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Which message, how long it took, what was recalled and what it cost: an answer that was redone cost twice."""
    caplog.set_level(logging.INFO)
    usage = Usage(input=100, cached=900, output=20)
    world = World(StubChat(["It's", usage, ChatError("cut")], ["It's ", "tea.", usage]))
    world.memory.of[ANN.key] = [memory("Ann likes tea.")]
    await world.say("What tea do I like?")
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert re.fullmatch(
        r"slack:T1:D1:1: answered: first word after \d+\.\d\d s, whole after \d+\.\d\d s, 1 memories recalled, "
        r"tokens: 200 in, 1800 from the cache, 0 into it, 40 out; \$0\.0000",
        line,
    )
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.startswith("slack:T1:D1:1: answer failed (attempt 1): ")


async def test_an_unforeseen_failure_is_told_and_logged_without_text(caplog: pytest.LogCaptureFixture) -> None:
    """A failing platform is tried again, then told, never a traceback, and what was said stays out of the log."""
    caplog.set_level(logging.DEBUG)
    world = World()
    reply = StubReplyHandle()
    reply.failure = RuntimeError("the canary sang")
    await world.bot.on_message(message("canary"), reply)
    for attempt in (1, 2, 3):
        assert reply.whispers == []
        assert len(world.journal.inbox.postponed) == attempt
        await world.again("canary", reply, attempts=attempt)
    assert reply.whispers == [SORRY]
    assert "RuntimeError" in caplog.text
    assert "canary" not in caplog.text


async def test_what_the_platform_refuses_for_good_is_told_once_and_ended() -> None:
    """No outage: Claude is not asked again for an answer that nobody may be shown, and its asker hears so."""
    world = World()
    reply = StubReplyHandle()
    reply.failure = PlatformRefused("restricted_action")
    event = message("hi")
    await world.bot.on_message(event, reply)
    assert reply.whispers == [PlatformRefused.sentence]
    assert world.journal.inbox.log == [f"dismissed {event.id}"]
    assert world.journal.inbox.postponed == []


async def test_the_platforms_word_for_a_refusal_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """An operator reads which message it was and what the platform called it."""
    world = World()
    reply = StubReplyHandle()
    reply.failure = PlatformRefused("240000", "Discord doesn't let me post this answer.")
    event = message("hi")
    await world.bot.on_message(event, reply)
    assert reply.whispers == ["Discord doesn't let me post this answer."]
    assert f"{event.id}: the platform refuses the answer for good: 240000" in caplog.messages


async def at_once(world: World, count: int, *, person: Person = ANN) -> list[StubReplyHandle]:
    """Somebody writes so many messages within a second."""
    replies = [StubReplyHandle() for _ in range(count)]
    for number, reply in enumerate(replies):
        event = message("hi", number=1, person=person)
        event = replace(event, id=f"{person.key}:{number}", at=event.at + timedelta(milliseconds=number))
        await world.bot.on_message(event, reply)
    return replies


async def test_an_allowance_is_told_privately_and_once() -> None:
    """Past the allowance one private sentence says so, once a minute however many follow; others aren't touched."""
    world = World(allowance=2)
    replies = await at_once(world, 12)
    assert [reply.shown for reply in replies] == [["ok"]] * 2 + [[]] * 10
    assert [reply.whispers for reply in replies] == [[], [], [TOO_MUCH], *([[]] * 9)]
    assert not any(letter.isdigit() for letter in TOO_MUCH)
    assert (await at_once(world, 1, person=BOB))[0].shown == ["ok"]


async def test_commands_have_an_allowance_too() -> None:
    """Past three times as many commands and clicks as messages one sentence says so; others' are run as before."""
    world = World(allowance=2)

    async def command(person: Person) -> str:
        return (await world.commands.on_command(CommandEvent(person, DM, "memories", "", MONDAY))).title

    titles = [await command(ANN) for _ in range(8)]
    assert [title == TOO_MUCH for title in titles] == [False] * 6 + [True] * 2
    assert (await world.commands.on_press(PressEvent(ANN, DM, "page:1:", MONDAY))).title == TOO_MUCH
    assert await command(BOB) != TOO_MUCH


async def test_what_piled_up_is_no_flood() -> None:
    """Messages that were written minutes apart and arrive together, after the bot was down, are all answered."""
    world = World(allowance=2)
    replies = [await world.say("hi", number=number) for number in range(1, 8)]
    assert [reply.shown for reply in replies] == [["ok"]] * 7


async def test_a_paused_memory_neither_reads_nor_writes_and_says_so_once() -> None:
    """While memory is paused nothing is recalled or learned; the first answer tells it in its first line."""
    world = World()
    world.memory.of[ANN.key] = [memory("Prefers Celsius")]
    await world.journal.pauses.set(ANN.key, True)
    first, second = await world.say("hi", number=1), await world.say("hi again", number=2)
    assert first.shown == [f"{PAUSED_LINE}\n\nok"]
    assert second.shown == ["ok"]
    assert "Celsius" not in world.chat.prompts[0].briefing
    assert world.journal.outbox.kept == []
    await world.journal.pauses.set(ANN.key, False)
    await world.say("hi", number=3)
    assert "Celsius" in world.chat.prompts[-1].briefing
    assert len(world.journal.outbox.kept) == 1


async def test_a_secret_is_answered_and_said_to_be_masked() -> None:
    """Claude reads the message as it is; the first such answer says what becomes of the secret."""
    world = World()
    first, second = await world.say("my password is hunter2", number=1), await world.say("PIN: 4711", number=2)
    third = await world.say("my locker is 4711", number=3, person=BOB)
    assert (first.shown, second.shown) == (["ok", f"ok\n\n{MASKED}"], ["ok"])
    assert third.shown == ["ok"]
    assert "hunter2" in world.chat.prompts[0].messages[-1][1]
    assert (await world.say("API key: abcd1234efgh", number=4, person=BOB)).shown == ["ok", f"ok\n\n{MASKED}"]


async def test_a_platform_out_of_reach_is_an_outage() -> None:
    """However often it fails, the answer is put off and never given up within the hour; after that it is."""
    world = World()
    reply = StubReplyHandle()
    reply.failure = ConnectionError("no way through")
    await world.bot.on_message(message("hi"), reply)
    for attempt in range(1, 8):
        await world.again("hi", reply, attempts=attempt)
    assert len(world.journal.inbox.postponed) == 8
    assert reply.whispers == []
    reply.failure = None
    await world.again("hi", reply, attempts=8)
    assert reply.shown == ["ok"]
    assert len(world.journal.outbox.kept) == 1


@pytest.mark.parametrize(("handle_kept", "same"), [(60.0, True), (0.0, False)])
async def test_the_reply_handle_is_kept_for_a_while(handle_kept: float, same: bool) -> None:
    """The reply handle of an answer to be retried is kept for a minute: what was shown of it isn't held for longer."""
    world = World(handle_kept=handle_kept)
    first, second = StubReplyHandle(), StubReplyHandle()
    first.failure = ConnectionError("no way through")
    await world.bot.on_message(message("hi"), first)
    first.failure = None
    await asyncio.sleep(0.01)
    await world.again("hi", second)
    assert (first.shown == ["ok"], second.shown == ["ok"]) == (same, not same)


class SometimesFull(StubInbox):
    """The inbox of a journal whose disk is full while `full` is set."""

    full = True

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
        self._check()
        said: dict[str, Any] = {"learn": learn, "keep": keep, "read": read}
        parts = event, user_id, conversation, answer, message_ids
        said |= {"introduced": introduced, "quotes": quotes, "off_record": off_record}
        return await super().answered(*parts, **said)

    async def postpone(self, event_id: str, seconds: float) -> None:
        self._check()
        await super().postpone(event_id, seconds)

    def _check(self) -> None:
        if self.full:
            raise JournalUnavailable("SQLITE_FULL")


async def test_what_is_shown_but_not_written_down_is_written_later() -> None:
    """Where the journal fails behind the last send, nobody reads an apology, and the model isn't asked again."""
    journal = StubJournal()
    journal.inbox = inbox = SometimesFull(journal.turns, journal.outbox)
    world = World(StubChat(["here"]), journal=journal)
    reply = await world.say("hi")
    assert (reply.shown, reply.whispers) == (["here"], [])
    inbox.full = False
    reply.there = ("here", ("reply:1",))
    await world.again("hi", StubReplyHandle())
    assert [exchange.answer for exchange in journal.outbox.kept] == ["here"]
    assert len(world.chat.prompts) == 1


async def test_what_cant_be_read_is_said_without_the_model() -> None:
    """A message whose notice is the whole answer asks neither the model nor the memory, and is answered once."""
    world = World()
    event = replace(message(""), notice="I can't read voice messages.")
    first, second = StubReplyHandle(), StubReplyHandle()
    await world.bot.on_message(event, first)
    await world.bot.on_message(event, second)
    assert (first.shown, second.shown) == ([event.notice], [])
    assert world.chat.prompts == []
    assert world.journal.inbox.log == ["answered"]
    assert world.journal.outbox.kept == []
