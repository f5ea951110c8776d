"""`/memories` and `/forget`."""

import pytest

from bot.commands import CANCELLED, EMPTY, STALE, UNAVAILABLE, Commands
from bot.events import CommandEvent, Person, PressEvent, View
from bot.identity import Identities
from bot.ports import MemoryUnavailable
from tests.makers import ANN, BOB, DM, GENERAL, MONDAY, memory
from tests.stubs import StubJournal, StubMemory


class Desk:
    """Commands on stubs."""

    def __init__(self, count: int = 0) -> None:
        self.journal = StubJournal()
        self.memory = StubMemory()
        self.memory.of[ANN.key] = [memory(f"fact {number}", number=number) for number in range(1, count + 1)]
        self.commands = Commands(self.journal, self.memory, Identities(self.journal))

    async def run(self, name: str, argument: str = "", person: Person = ANN) -> View:
        return await self.commands.run(CommandEvent(person, GENERAL, name, argument, MONDAY))

    async def press(self, view: View, label: str, person: Person = ANN) -> View:
        action = next(button.action for button in view.buttons if button.label == label)
        return await self.commands.press(PressEvent(person, DM, action, MONDAY))


async def test_memories_are_numbered_newest_first_with_date_and_place() -> None:
    """The list shows each memory with its number, its date and where it was learned."""
    desk = Desk(2)
    view = await desk.run("memories")
    assert list(view.lines())[:3] == [
        "I remember 2 things about you, newest first:",
        "1. fact 2  (2026-11-18, DM)",
        "2. fact 1  (2026-11-17, DM)",
    ]
    assert view.items[0].link == "https://example.org/2"


async def test_nothing_remembered_is_said_plainly() -> None:
    """An empty memory is told in a sentence, without an empty list."""
    assert await Desk().run("memories") == EMPTY


async def test_long_lists_have_pages() -> None:
    """Ten a page, with buttons to the older and back to the newer ones, numbers going on."""
    desk = Desk(25)
    first = await desk.run("memories")
    assert [button.label for button in first.buttons] == ["Older"]
    second = await desk.press(first, "Older")
    assert [item.number for item in second.items] == list(range(11, 21))
    assert [button.label for button in second.buttons] == ["Newer", "Older"]
    last = await desk.press(second, "Older")
    assert [item.text for item in last.items] == [f"fact {number}" for number in range(5, 0, -1)]
    assert [button.label for button in last.buttons] == ["Newer"]


async def test_a_search_keeps_the_numbers_of_the_whole_list() -> None:
    """A number means the same memory in a search as in the whole list, so that `/forget` can take it."""
    desk = Desk(25)
    view = await desk.run("memories", "3")
    assert [item.number for item in view.items] == [3, 13, 23]
    assert view.items[-1].text == "fact 3"
    proposal = await desk.run("forget", "23")
    assert [item.text for item in proposal.items] == ["fact 3"]


async def test_actions_fit_into_a_button() -> None:
    """However long a search, no button's action is longer than platforms take."""
    desk = Desk(25)
    for search in ("fact", "fact " * 40):
        view = await desk.run("memories", search)
        assert all(len(button.action) <= 90 for button in view.buttons)


async def test_forget_by_words_acts_with_one_click() -> None:
    """Words show what matches with two buttons; one click forgets, and the messages that taught it go too."""
    desk = Desk(3)
    view = await desk.run("forget", "fact 2")
    assert [item.text for item in view.items] == ["fact 2"]
    assert [button.label for button in view.buttons] == ["Forget", "Cancel"]
    done = await desk.press(view, "Forget")
    assert done.title.startswith("Forgotten: 1 thing")
    assert [row.text for row in desk.memory.of[ANN.key]] == ["fact 1", "fact 3"]
    assert desk.journal.forgotten == ["e2"]


async def test_forget_everything_asks_first() -> None:
    """Without words one button forgets everything, conversations included."""
    desk = Desk(3)
    view = await desk.run("forget")
    assert [button.label for button in view.buttons] == ["Forget everything", "Cancel"]
    assert len(desk.memory.of[ANN.key]) == 3
    done = await desk.press(view, "Forget everything")
    assert "3 things" in done.title
    assert desk.memory.of[ANN.key] == []
    assert desk.journal.forgotten == [ANN.key]


async def test_only_the_callers_own_click_counts() -> None:
    """Another person's click on the button changes nothing, neither theirs nor the caller's."""
    desk = Desk(3)
    desk.memory.of[BOB.key] = [memory("Bob's")]
    view = await desk.run("forget")
    assert await desk.press(view, "Forget everything", person=BOB) == STALE
    assert len(desk.memory.of[ANN.key]) == 3
    assert len(desk.memory.of[BOB.key]) == 1


async def test_cancel_and_a_second_click_change_nothing() -> None:
    """Cancelling leaves all, and a button that was used is no longer valid."""
    desk = Desk(1)
    view = await desk.run("forget", "1")
    assert await desk.press(view, "Cancel") == CANCELLED
    assert await desk.press(view, "Forget") == STALE
    assert len(desk.memory.of[ANN.key]) == 1


async def test_a_suggestion_means_that_very_memory() -> None:
    """A row taken from autocompletion proposes that memory alone, cut short or not."""
    desk = Desk()
    long = "tea " * 60
    desk.memory.of[ANN.key] = [memory(long, number=1), memory("tea", number=2)]
    request = CommandEvent(ANN, DM, "forget", "tea tea", MONDAY)
    (suggestion,) = await desk.commands.suggest(request)
    assert len(suggestion) <= 100
    assert len((await desk.run("forget", suggestion)).items) == 1


@pytest.mark.parametrize("what", ["0", "99", "99999999999999999999", "²", "no such words"])
async def test_what_matches_nothing_is_told(what: str) -> None:
    """A number out of range or words that match nothing propose nothing."""
    view = await Desk(2).run("forget", what)
    assert "matches" in view.title
    assert view.buttons == ()


async def test_failing_memory_is_told() -> None:
    """With mem0 down a command says so, and changes nothing."""
    desk = Desk(1)
    desk.memory.failure = MemoryUnavailable("down")
    assert await desk.run("memories") == UNAVAILABLE
    assert await desk.run("forget", "1") == UNAVAILABLE


async def test_unknown_buttons_are_refused() -> None:
    """An action that was never written down does nothing."""
    desk = Desk(1)
    for action in ("forget:", "forget:t99", "drop everything", ""):
        assert await desk.commands.press(PressEvent(ANN, DM, action, MONDAY)) == STALE
