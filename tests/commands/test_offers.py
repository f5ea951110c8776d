"""What an answer offers: to look at what would be forgotten, for its asker alone, without a word in the button."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.commands import STALE, UNAVAILABLE
from bot.commands.offers import REVIEW_LABEL, Offers
from bot.events import MessageEvent, PressEvent
from bot.model import Person
from bot.ports import MemoryUnavailable, PlatformRefused
from bot.views import Button, Foot, View
from tests.makers import ANN, BOB, DM, GENERAL, MONDAY, memory, message
from tests.parts import make_commands
from tests.stub_journal import StubJournal
from tests.stubs import StubMemory, StubReplyHandle

LATER = MONDAY + timedelta(hours=5)


class Desk:
    """Ann's memories, and the offers of answers to her."""

    def __init__(self) -> None:
        self.journal, self.memory = StubJournal(), StubMemory()
        self.memory.of[ANN.key] = [memory("Lives in Porto", number=1), memory("Likes tea", number=2)]
        self.commands = make_commands(self.journal, self.memory)
        self.offers = Offers(self.commands.forgetting, lambda: LATER)
        self.reply = StubReplyHandle()

    async def make(self, event: MessageEvent, *forget: str, buttons: Sequence[Button] = ()) -> None:
        await self.offers.make(event, self.reply, ("reply:1",), buttons, forget)

    async def press(self, button: Button, person: Person = ANN) -> View:
        return await self.commands.press(PressEvent(person, GENERAL, button.action, LATER))


WISH = replace(message("please forget that I live in Porto", place=GENERAL), at=MONDAY)


async def test_in_a_channel_a_button_is_offered() -> None:
    """It holds no words; pressed by its asker it shows what would be forgotten, as often as it is pressed."""
    desk = Desk()
    await desk.make(WISH, "Porto")
    (foot,) = desk.reply.feet
    assert (foot.line, [button.label for button in foot.buttons]) == ("", [REVIEW_LABEL])
    assert "forget" in REVIEW_LABEL
    assert "Porto" not in foot.buttons[0].action
    assert len(foot.buttons[0].action) <= 70
    for _ in range(2):
        view = await desk.press(foot.buttons[0])
        assert [item.text for item in view.items] == ["Lives in Porto"]
    assert len(desk.memory.of[ANN.key]) == 2
    forget = next(button for button in view.buttons if button.label == "Forget")
    assert (await desk.press(forget)).title.startswith("Forgotten: 1 thing")
    assert [row.text for row in desk.memory.of[ANN.key]] == ["Likes tea"]


async def test_nobody_elses_press_opens_it() -> None:
    """A token is its person's; others are told nothing, and take nothing away."""
    desk = Desk()
    await desk.make(WISH, "Porto")
    (button,) = desk.reply.feet[0].buttons
    assert await desk.press(button, BOB) == STALE
    assert (await desk.press(button)).items
    assert await desk.press(Button("", "review:guessed")) == STALE


async def test_a_review_is_no_confirmation() -> None:
    """Its token doesn't forget anything where a button that does is expected."""
    desk = Desk()
    await desk.make(WISH, "Porto")
    token = desk.reply.feet[0].buttons[0].action.partition(":")[2]
    view = await desk.press(Button("", f"forget:{token}"))
    assert "Forgotten" not in view.title
    assert len(desk.memory.of[ANN.key]) == 2


async def test_in_a_direct_message_it_is_shown_at_once() -> None:
    """Nobody else reads there: the view itself, whose button forgets; nothing is forgotten before."""
    desk = Desk()
    await desk.make(replace(WISH, place=DM), "Porto")
    assert desk.reply.feet == []
    (view,) = desk.reply.views
    assert [item.text for item in view.items] == ["Lives in Porto"]
    assert len(desk.memory.of[ANN.key]) == 2
    assert desk.journal.intents.kept


async def test_several_wishes_and_other_buttons() -> None:
    """Each wish once, up to three, beside what else is offered."""
    desk = Desk()
    other = Button("Show memories", "page:1:")
    await desk.make(WISH, "Porto", "tea", "Porto", "a", "b", buttons=[other])
    (foot,) = desk.reply.feet
    assert [button.label for button in foot.buttons] == [
        "Show memories",
        *(f"{REVIEW_LABEL} ({number})" for number in (1, 2, 3)),
    ]


async def test_memory_out_of_reach() -> None:
    """It says so in place of the view."""
    desk = Desk()
    desk.memory.failure = MemoryUnavailable("down")
    await desk.make(replace(WISH, place=DM), "Porto")
    assert desk.reply.views == [UNAVAILABLE]


async def test_a_refusal_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """The answer stands, and the log names no words."""

    class Refusing(StubReplyHandle):
        async def below(self, message_ids: Sequence[str], foot: Foot) -> None:
            raise PlatformRefused("50001")

    desk = Desk()
    desk.reply = Refusing()
    await desk.make(WISH, "Porto")
    assert "could not be shown" in caplog.text
    assert "Porto" not in caplog.text


async def test_nothing_offered() -> None:
    """Most answers have nothing below them."""
    desk = Desk()
    await desk.make(WISH)
    assert (desk.reply.feet, desk.reply.views) == ([], [])


def test_the_clock_is_the_worlds() -> None:
    """By default the present counts, in the person's own zone."""
    assert Offers(Desk().commands.forgetting)._clock() - datetime.now(UTC) < timedelta(seconds=5)
