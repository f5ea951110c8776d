"""`/private`: a conversation off the record."""

from dataclasses import replace

import pytest

from bot.commands.wording import OFF
from bot.events import CommandEvent, PressEvent
from bot.model import Place
from bot.views import View
from tests.makers import ANN, BOB, DM, GENERAL, MONDAY
from tests.parts import make_commands
from tests.stub_journal import StubJournal
from tests.stubs import StubMemory

CHANNEL = replace(GENERAL, thread=None)


class Desk:
    """The commands on stubs."""

    def __init__(self, *, remember: bool = True) -> None:
        self.journal = StubJournal()
        self.commands = make_commands(self.journal, StubMemory(), remember=remember)

    async def run(self, argument: str = "", place: Place = DM, name: str = "private") -> View:
        return await self.commands.run(CommandEvent(ANN, place, name, argument, MONDAY))

    async def press(self, view: View, label: str, place: Place = DM) -> View:
        action = next(button.action for button in view.buttons if button.label == label)
        return await self.commands.press(PressEvent(ANN, place, action, MONDAY))


@pytest.mark.parametrize(
    ("place", "where"), [(DM, "in this conversation"), (GENERAL, "in this thread"), (CHANNEL, "in this channel")]
)
async def test_it_switches_and_says_what_holds(place: Place, where: str) -> None:
    """Alone it switches to the other; its button undoes that; the words for a place are people's own."""
    desk = Desk()
    on = await desk.run(place=place)
    assert on.title == f"Off the record: I learn nothing from what you tell me {where} from now on."
    assert "24 hours" in on.footer
    assert desk.journal.off_record.kept == {(ANN.key, place.channel_key)}
    off = await desk.run(place=place)
    assert off.title == f"On the record: I learn from what you tell me {where} from now on."
    assert desk.journal.off_record.kept == set()
    again = await desk.press(off, "Keep off the record", place)
    assert again.title == on.title
    assert (await desk.press(again, "Learn again", place)).title == off.title


async def test_on_and_off_are_said_twice_without_harm() -> None:
    """What holds already is said as such; anything else changes nothing."""
    desk = Desk()
    assert "from now on" in (await desk.run("on")).title
    again = (await desk.run("ON.")).title
    assert again == "Off the record: I learn nothing from what you tell me in this conversation."
    assert (await desk.run("what?")).title.startswith("Off the record")
    assert desk.journal.off_record.kept == {(ANN.key, DM.channel_key)}
    assert "from now on" in (await desk.run("off")).title
    assert (await desk.run("off")).title == "On the record: I learn from what you tell me in this conversation."
    assert desk.journal.off_record.kept == set()


async def test_memories_says_so_where_it_holds() -> None:
    """Asked there, and by whom it holds for."""
    desk = Desk()
    await desk.run("on")
    assert "Off the record" in (await desk.run(name="memories")).footer
    assert "Off the record" not in (await desk.run(name="memories", place=GENERAL)).footer
    other = await desk.commands.run(CommandEvent(BOB, DM, "memories", "", MONDAY))
    assert "Off the record" not in other.footer


async def test_where_memory_is_off_it_says_that() -> None:
    """There is nothing to be kept out of."""
    desk = Desk(remember=False)
    assert await desk.run() == OFF
    assert desk.journal.off_record.kept == set()
