"""The memory loop."""

import logging

import pytest

from bot.core import SORRY, MemoryBot
from bot.events import Learned, Recalled
from bot.learning import Learner
from bot.ports import ChatError, ChatOverloaded, ChatRefused, MemoryUnavailable
from tests.makers import ANN, BOB, DM, GENERAL, SECRET, memory, message
from tests.stubs import StubChat, StubJournal, StubMemory, StubRespond


class World:
    """A bot on stubs."""

    def __init__(self, chat: StubChat | None = None, *, allowance: int = 0) -> None:
        self.journal = StubJournal()
        self.memory = StubMemory()
        self.chat = chat or StubChat()
        self.heard: list[Recalled | Learned] = []
        learner = Learner(self.journal, self.memory)
        self.bot = MemoryBot(
            self.journal, self.memory, self.chat, learner, allowance=allowance, notify=self.heard.append
        )

    async def say(self, text: str, **kwargs: object) -> StubRespond:
        respond = StubRespond()
        await self.bot.on_message(message(text, **kwargs), respond)  # type: ignore[arg-type]
        return respond


async def test_an_answer_uses_what_is_remembered() -> None:
    """The memory reaches the model, the answer reaches the person, and the exchange reaches the journal."""
    world = World(StubChat(["21 ", "°C"]))
    world.memory.of[ANN.key] = [memory("Prefers Celsius")]
    respond = await world.say("What's a comfortable room temperature?")
    assert "Prefers Celsius" in world.chat.prompts[0].system
    assert respond.shown == ["21 ", "21 °C"]
    assert respond.busy == [True, False]
    assert [(one.text, one.answer) for one in world.journal.kept] == [
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
    respond = await world.say(" \n\t")
    assert (respond.shown, world.journal.seen) == ([], set())


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
        system = world.chat.prompts[-1].system
        seen[place.name] = {text for text in ("DM", "#general", "#secret") if f"from {text}" in system}
    assert seen == {"DM": {"DM", "#general", "#secret"}, "#general": {"#general"}, "#secret": {"#general", "#secret"}}


async def test_another_persons_memories_are_never_used() -> None:
    """Memories are looked up under the speaker's own id."""
    world = World()
    world.memory.of[ANN.key] = [memory("Ann's secret")]
    await world.say("hi", person=BOB)
    assert "Ann's secret" not in world.chat.prompts[0].system


async def test_failing_memory_leaves_a_plain_answer() -> None:
    """With mem0 down the person is answered all the same, and the exchange is kept."""
    world = World()
    world.memory.failure = MemoryUnavailable("down")
    respond = await world.say("hi")
    assert respond.shown == ["ok"]
    assert len(world.journal.kept) == 1


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [(ChatOverloaded(), ChatOverloaded.sentence), (ChatRefused(), ChatRefused.sentence)],
)
async def test_a_failing_model_is_told_in_a_sentence(failure: Exception, sentence: str) -> None:
    """Overloaded or refusing, the person reads one plain sentence and what they said is kept."""
    world = World(StubChat([failure]))
    respond = await world.say("remember my cat Tom")
    assert respond.shown == [sentence]
    assert [(one.text, one.answer) for one in world.journal.kept] == [("remember my cat Tom", "")]


async def test_a_cut_stream_is_redone_in_place() -> None:
    """What is shown stays until the new text overtakes it, and nothing shows twice."""
    world = World(StubChat(["Once upon", ChatError("cut")], ["Once ", "upon a ", "time"]))
    respond = await world.say("a story")
    assert respond.shown == ["Once upon", "Once upon a ", "Once upon a time"]
    assert world.journal.kept[0].answer == "Once upon a time"


async def test_a_stream_cut_for_good_says_so() -> None:
    """Where the second try breaks too, the part that came stays, and a sentence tells that it isn't all."""
    world = World(StubChat(["Half", ChatError("cut")], ["Ha", ChatError("cut")]))
    respond = await world.say("a story")
    assert respond.shown[-1] == f"Half\n\n{ChatError.sentence}"


async def test_an_unforeseen_failure_is_told_and_logged_without_text(caplog: pytest.LogCaptureFixture) -> None:
    """A failing platform costs an apology, never a traceback, and what was said stays out of the log."""
    caplog.set_level(logging.DEBUG)
    world = World()
    respond = StubRespond()
    respond.failure = RuntimeError("the canary sang")
    await world.bot.on_message(message("canary"), respond)
    assert respond.whispers == [SORRY]
    assert "RuntimeError" in caplog.text
    assert "canary" not in caplog.text


async def test_an_allowance_is_told_privately() -> None:
    """Past the allowance one private sentence says when to come back; others are not touched by it."""
    world = World(allowance=2)
    for number in (1, 2):
        assert (await world.say("hi", number=number)).shown == ["ok"]
    third = await world.say("hi", number=3)
    assert third.shown == []
    assert "Please write again in" in third.whispers[0]
    assert (await world.say("hi", number=4, person=BOB)).shown == ["ok"]
