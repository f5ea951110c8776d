"""The line below an answer that taught something, and what its button opens."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.commands.learned_lines import LABEL, LINE, LearnedLines
from bot.commands.wording import OFF, UNTAUGHT
from bot.core.learning import Learner
from bot.events import MessageEvent, PressEvent
from bot.model import Audience, Exchange, Memory, Person, Place, ShownAnswer, Source
from bot.ports import JournalUnavailable, PlatformRefused
from bot.views import Foot, Form, View
from tests.makers import ANN, BOB, DM, GENERAL, MONDAY, exchange, memory, until
from tests.parts import make_commands
from tests.stub_journal import StubJournal, StubPreferences
from tests.stubs import StubMemory, StubReplyHandle

EVENT = "slack:T1:C1:100.5"


class Answers:
    """Where answers are shown."""

    def __init__(self) -> None:
        self.of = {EVENT: ShownAnswer(GENERAL, ("slack:T1:C1:100.6", "slack:T1:C1:100.7"))}
        self.failure: Exception | None = None

    async def shown(self, event_id: str) -> ShownAnswer | None:
        if self.failure:
            raise self.failure
        return self.of.get(event_id)


class Handle(StubReplyHandle):
    """A reply handle that keeps below which messages it was to add."""

    def __init__(self, failure: Exception | None) -> None:
        super().__init__()
        self.refusal = failure
        self.messages: tuple[str, ...] = ()

    async def below(self, message_ids: Sequence[str], foot: Foot) -> None:
        if self.refusal:
            raise self.refusal
        self.messages = tuple(message_ids)
        await super().below(message_ids, foot)


class Platform:
    """A platform that is ready, unless said otherwise."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.ready.set()
        self.events: list[MessageEvent] = []
        self.handles: list[Handle] = []
        self.failure: Exception | None = None

    def reply_handle(self, event: MessageEvent) -> Handle:
        self.events.append(event)
        self.handles.append(Handle(self.failure))
        return self.handles[-1]


class Lines:
    """The lines over stubs."""

    def __init__(self) -> None:
        self.answers, self.preferences, self.slack = Answers(), StubPreferences(), Platform()
        self.lines = LearnedLines(self.answers, self.preferences)
        self.lines.serve({"slack": self.slack})

    async def teach(self, *exchanges: Exchange) -> None:
        self.lines.taught(exchanges)
        await self.lines._tasks.wait()


def taught(event_id: str = EVENT, person: Person = ANN) -> Exchange:
    """An exchange that has taught something."""
    return replace(exchange(1), event_id=event_id, user_id=person.key, person_key=person.key, link="https://l")


async def test_below_the_answer_that_taught_something() -> None:
    """The line says nothing of what was learned, and the button names only the event; it is for the asker."""
    world = Lines()
    await world.teach(taught())
    (event,), (reply,) = world.slack.events, world.slack.handles
    assert (event.id, event.person, event.place, event.link) == (EVENT, ANN, GENERAL, "https://l")
    assert reply.messages == ("slack:T1:C1:100.6", "slack:T1:C1:100.7")
    (foot,) = reply.feet
    assert (foot.line, [button.label for button in foot.buttons]) == (LINE, [LABEL])
    assert [button.action for button in foot.buttons] == [f"learned:{EVENT}"]


async def test_one_line_below_an_answer_to_several_messages() -> None:
    """Where one answer is to several messages that taught something, it stands there once, with a button for each."""
    world = Lines()
    other = "slack:T1:C1:100.55"
    world.answers.of[other] = world.answers.of[EVENT]
    world.answers.of["slack:T1:C1:200.1"] = ShownAnswer(GENERAL, ("slack:T1:C1:200.2",))
    await world.teach(taught(), taught(other), taught("slack:T1:C1:200.1"))
    together, alone = (handle.feet for handle in world.slack.handles)
    assert [(button.label, button.action) for button in together[0].buttons] == [
        (LABEL, f"learned:{EVENT}"),
        (f"{LABEL} (2)", f"learned:{other}"),
    ]
    assert [button.action for button in alone[0].buttons] == ["learned:slack:T1:C1:200.1"]


async def test_actions_fit_below_an_answer() -> None:
    """The longest ids that the platforms have make actions that Discord takes there."""
    world = Lines()
    event_id = "slack:T0123456789A:C0123456789A:1764300000.123456"
    world.answers.of[event_id] = ShownAnswer(GENERAL, ("m",))
    await world.teach(taught(event_id))
    (foot,) = world.slack.handles[0].feet
    assert all(len(button.action) <= 70 for button in foot.buttons)


async def test_who_hushed_it_gets_none() -> None:
    """A person who has switched it off for themselves gets no line; others do."""
    world = Lines()
    world.preferences.unnoticed.add(ANN.key)
    await world.teach(taught())
    await world.teach(taught(person=BOB))
    assert [event.person for event in world.slack.events] == [BOB]


async def test_elsewhere_and_unknown() -> None:
    """An answer of a platform that isn't connected here, or that isn't known any more, gets none."""
    world = Lines()
    await world.teach(taught("discord:1"), taught("slack:T1:C1:9"), replace(taught(), person_key=""))
    assert world.slack.events == []


@pytest.mark.parametrize("failure", [PlatformRefused("1"), ConnectionError("down"), ValueError("odd")])
async def test_a_refusal_hurts_nobody(failure: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """Where it can't be added it is missing, and the others are added; only what is odd is worth a warning."""
    world = Lines()
    world.slack.failure = failure
    await world.teach(taught())
    warned = [record for record in caplog.records if record.levelname == "WARNING"]
    assert bool(warned) == isinstance(failure, ValueError)
    world.slack.failure = None
    world.answers.failure = JournalUnavailable("down")
    await world.teach(taught())
    world.answers.failure = None
    await world.teach(taught())
    assert [len(handle.feet) for handle in world.slack.handles] == [0, 1]


async def test_the_platform_is_waited_for() -> None:
    """What is learned while a platform still connects gets its line once it has."""
    world = Lines()
    world.slack.ready.clear()
    world.lines.taught([taught()])
    await asyncio.sleep(0)
    assert world.slack.events == []
    world.slack.ready.set()
    await until(lambda: any(handle.feet for handle in world.slack.handles))
    await world.lines.finish()
    await world.teach(taught())
    assert len(world.slack.events) == 1


async def test_only_what_taught_something() -> None:
    """Of several exchanges learned together, those get a line that taught something; also where others failed."""

    class Memories(StubMemory):
        async def learn(self, exchanges: Sequence[Exchange], taught: set[str] | None = None) -> int:
            assert taught is not None
            taught |= {"e1", "e3"}
            return 2

    journal, told = StubJournal(), list[list[str]]()
    journal.outbox.kept += [exchange(number) for number in (1, 2, 3)]
    learner = Learner(
        journal.outbox, Memories(), taught=lambda found: told.append([one.event_id for one in found]), quiet=0
    )
    learner.noticed(ANN.key, "private")
    await learner.flush()
    assert told == [["e1", "e3"]]


class Desk:
    """Ann's and Bob's memories, and presses on the button below an answer."""

    def __init__(self, *memories: Memory, remember: bool = True) -> None:
        self.journal, self.memory = StubJournal(), StubMemory()
        self.memory.of[ANN.key] = list(memories)
        self.commands = make_commands(
            self.journal, self.memory, preferences=self.journal.preferences, remember=remember
        )

    async def press(self, action: str, person: Person = ANN) -> View:
        return await self.commands.press(PressEvent(person, GENERAL, action, MONDAY))

    async def choose(self, view: View, label: str) -> View:
        return await self.press(next(button.action for button in view.buttons if button.label == label))


def learned(number: int, event_id: str = EVENT) -> Memory:
    """A memory that this event taught."""
    return replace(memory(f"fact {number}", number=number), sources=(Source(event_id, MONDAY, "#general"),))


def labels(view: View) -> list[str]:
    """The labels of a view's buttons."""
    return [button.label for button in view.buttons]


async def test_it_opens_the_one_thing_that_was_learned() -> None:
    """In full, as `/memories` shows it, with Edit and Forget."""
    desk = Desk(learned(1), memory("older", number=2))
    view = await desk.press(f"learned:{EVENT}")
    assert view.title == "2. fact 1"
    assert {"Edit", "Forget", "Hide “Memory updated”"} <= set(labels(view))
    assert (await desk.choose(view, "Forget")).title.startswith("Forgotten: 1 thing")
    assert await desk.press(f"learned:{EVENT}") == UNTAUGHT


async def test_it_opens_all_that_was_learned() -> None:
    """Each with a button to edit and one to forget it, by the numbers of `/memories`; nothing else is shown."""
    desk = Desk(*map(learned, (1, 2, 3)), memory("something else", number=4))
    view = await desk.press(f"learned:{EVENT}")
    assert [item.text for item in view.items] == ["fact 3", "fact 2", "fact 1"]
    assert labels(view)[:6] == ["Edit 2", "Forget 2", "Edit 3", "Forget 3", "Edit 4", "Forget 4"]
    edit = next(button for button in view.buttons if button.label == "Edit 2")
    assert edit.opens_form
    form = await desk.commands.open_form(PressEvent(ANN, DM, edit.action, MONDAY))
    assert isinstance(form, Form)
    assert form.value == "fact 3"
    await desk.choose(view, "Forget 3")
    assert [row.text for row in desk.memory.of[ANN.key]] == ["fact 1", "fact 3", "something else"]


async def test_many_things_are_in_a_menu() -> None:
    """Discord takes five rows of five buttons, and a menu of 25."""
    view = await Desk(*map(learned, range(1, 41))).press(f"learned:{EVENT}")
    assert len(view.buttons) <= 25
    assert len(view.menu) == len(view.items) == 25
    assert "40 things" in view.title


async def test_another_person_sees_nothing_of_it() -> None:
    """Whoever presses it is shown their own memories alone, whatever the button names."""
    desk = Desk(learned(1))
    assert await desk.press(f"learned:{EVENT}", BOB) == UNTAUGHT
    assert "fact" not in str(await desk.press("learned:", BOB))


async def test_with_memory_off() -> None:
    """It says so, as every view does."""
    assert await Desk(learned(1), remember=False).press(f"learned:{EVENT}") == OFF


async def test_hushed_and_told_again() -> None:
    """From there and from `/memories`; the button says what it would do."""
    desk = Desk(learned(1))
    view = await desk.choose(await desk.press("page:1:"), "Hide “Memory updated”")
    assert view.title.startswith("I no longer say")
    assert desk.journal.preferences.unnoticed == {ANN.key}
    assert "Show “Memory updated”" in labels(await desk.press(f"learned:{EVENT}"))
    await desk.choose(view, "Show “Memory updated”")
    assert not desk.journal.preferences.unnoticed
    without = make_commands(desk.journal, desk.memory)
    assert "Memory updated" not in str(labels(await without.press(PressEvent(ANN, DM, "page:1:", MONDAY))))


def test_the_place_is_private_where_it_was() -> None:
    """A place without a name is enough for a reply handle."""
    assert Place("discord", "", "7", None, Audience.PRIVATE).key == "discord::7:"
