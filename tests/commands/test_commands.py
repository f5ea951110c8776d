"""`/memories` and `/forget`."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands import CANCELLED, EMPTY, GONE, STALE, UNAVAILABLE
from bot.commands.wording import OFF
from bot.events import CommandEvent, PressEvent, SubmitEvent
from bot.model import SHARED_SCOPE, Person, Source
from bot.ports import MemoryUnavailable
from bot.views import Form, View
from tests.makers import ANN, BOB, DM, GENERAL, MONDAY, memory
from tests.parts import make_commands, make_privacy
from tests.stub_journal import StubJournal
from tests.stubs import StubMemory


class Desk:
    """Commands on stubs."""

    def __init__(self, count: int = 0) -> None:
        self.journal = StubJournal()
        self.memory = StubMemory()
        self.memory.of[ANN.key] = [memory(f"fact {number}", number=number) for number in range(1, count + 1)]
        self.commands = make_commands(self.journal, self.memory)
        self.form: Form | None = None
        self.zone: tzinfo = UTC

    async def run(self, name: str, argument: str = "", person: Person = ANN) -> View:
        return await self.commands.run(CommandEvent(person, GENERAL, name, argument, MONDAY.astimezone(self.zone)))

    async def press(self, view: View, label: str, person: Person = ANN) -> View:
        action = next(button.action for button in view.buttons if button.label == label)
        return await self.commands.press(PressEvent(person, DM, action, MONDAY))

    async def choose(self, view: View, place: int, person: Person = ANN) -> View:
        action = view.menu[place].action
        return await self.commands.press(PressEvent(person, DM, action, MONDAY.astimezone(self.zone)))

    async def fill(self, view: View, label: str, text: str, person: Person = ANN) -> View:
        """Press a button that opens a form, and send the form with that text."""
        action = next(button.action for button in view.buttons if button.label == label and button.opens_form)
        form = await self.commands.open_form(PressEvent(person, DM, action, MONDAY))
        if isinstance(form, View):
            return form
        self.form = form
        return await self.commands.submit(SubmitEvent(person, DM, form.action, text, MONDAY))


def actions(view: View) -> list[str]:
    """All that a view's buttons and choices say when they are pressed."""
    return [button.action for button in view.buttons] + [option.action for option in view.menu]


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


async def test_dates_are_by_the_callers_clock() -> None:
    """In the list, in a memory's sources, and in what is asked before something is forgotten."""
    desk = Desk(2)
    desk.zone = ZoneInfo("America/New_York")
    at = datetime(2026, 11, 15, 3, 30, tzinfo=UTC)
    desk.memory.of[ANN.key] = [replace(each, learned_at=at, edited_at=at) for each in desk.memory.of[ANN.key]]
    desk.memory.of[ANN.key][0] = replace(desk.memory.of[ANN.key][0], sources=(Source("e1", at, "DM"),))
    view = await desk.run("memories")
    assert [item.note.partition(",")[0] for item in view.items] == ["2026-11-14", "2026-11-14"]
    number = next(item.number for item in view.items if item.text == "fact 1")
    opened = await desk.choose(view, number - 1)
    assert opened.items[0].text == "You said so on 2026-11-14 at 22:30 (EST)"
    assert "You edited it on 2026-11-14." in opened.footer
    asked = await desk.run("forget", "fact 1")
    assert asked.items[0].note.startswith("2026-11-14")


async def test_nothing_remembered_is_said_plainly() -> None:
    """An empty memory is told in a sentence, without an empty list."""
    view = await Desk().run("memories")
    assert (view.title.startswith(EMPTY), view.items, view.menu) == (True, (), ())


async def test_long_lists_have_pages() -> None:
    """Ten a page, with buttons to the older and back to the newer ones, numbers going on."""
    desk = Desk(25)
    first = await desk.run("memories")
    assert [button.label for button in first.buttons] == ["Older", "Search", "Pause memory", "Export"]
    second = await desk.press(first, "Older")
    assert [item.number for item in second.items] == list(range(11, 21))
    assert [button.label for button in second.buttons][:2] == ["Newer", "Older"]
    last = await desk.press(second, "Older")
    assert [item.text for item in last.items] == [f"fact {number}" for number in range(5, 0, -1)]
    assert [button.label for button in last.buttons][:2] == ["Newer", "Search"]


async def test_a_page_that_has_gone_is_the_last_one() -> None:
    """With the only memory of the last page forgotten, Back and the old page's own button lead to the new last page."""
    desk = Desk(21)
    second = await desk.press(await desk.run("memories"), "Older")
    third = await desk.press(second, "Older")
    done = await desk.press(await desk.choose(third, 0), "Forget")
    for view in (await desk.press(done, "Back"), await desk.press(second, "Older")):
        assert [item.number for item in view.items] == list(range(11, 21))
        assert view.footer.startswith("Page 2 of 2")
        assert "Older" not in [button.label for button in view.buttons]
    assert await desk.choose(third, 0) == GONE


async def test_words_are_searched_for_from_a_button() -> None:
    """The list's Search opens a form; what it finds can be paged through, and Show all leads back."""
    desk = Desk(25)
    found = await desk.fill(await desk.run("memories"), "Search", "  FACT \n ")
    assert found.title == "I remember 25 things about you; 25 match “FACT”:"
    assert [button.label for button in found.buttons] == ["Older", "Show all", "Pause memory", "Export"]
    assert [item.number for item in (await desk.press(found, "Older")).items] == list(range(11, 21))
    assert await desk.press(found, "Show all") == await desk.run("memories")
    nothing = await desk.fill(await desk.run("memories"), "Search", "zebra")
    assert nothing.title == "Nothing that I remember about you matches “zebra”."
    assert await desk.press(nothing, "Show all") == await desk.run("memories")


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
        assert all(len(action) <= 90 for action in actions(view))
        shown = await desk.choose(view, 0)
        assert all(len(action) <= 90 for action in actions(shown))


async def test_forget_by_words_acts_with_one_click() -> None:
    """Words show what matches with two buttons; one click forgets, and the messages that taught it go too."""
    desk = Desk(3)
    view = await desk.run("forget", "fact 2")
    assert [item.text for item in view.items] == ["fact 2"]
    assert [button.label for button in view.buttons] == ["Forget", "Cancel"]
    done = await desk.press(view, "Forget")
    assert done.title.startswith("Forgotten: 1 thing")
    assert [row.text for row in desk.memory.of[ANN.key]] == ["fact 1", "fact 3"]
    assert desk.journal.texts.forgotten == ["e2"]


async def test_forget_everything_asks_first() -> None:
    """Without words one button forgets everything, conversations included."""
    desk = Desk(3)
    view = await desk.run("forget")
    assert [button.label for button in view.buttons] == ["Forget everything", "Cancel"]
    assert len(desk.memory.of[ANN.key]) == 3
    done = await desk.press(view, "Forget everything")
    assert "3 things" in done.title
    assert desk.memory.of[ANN.key] == []
    assert desk.journal.texts.forgotten == [ANN.key]
    assert desk.journal.erasures.queued == {}


async def test_forgetting_everything_says_what_becomes_of_a_pause() -> None:
    """Settings go too: who had paused memory is told beforehand that it is on again."""
    desk = Desk()
    view = await desk.run("forget", "everything")
    assert view.title.startswith("Forget everything? I remember nothing about you. What goes for good are our recent")
    await desk.press(await desk.run("memories"), "Pause memory")
    assert "Memory, which you have paused, is on again then." in (await desk.run("forget")).title


async def test_a_view_says_that_something_was_changed() -> None:
    """Forgetting, editing, sharing and pausing make what was shown before out of date; looking doesn't."""
    desk = Desk(5)
    listed = await desk.run("memories")
    opened = await desk.choose(listed, 0)
    changing = [
        await desk.fill(opened, "Edit", "likes green tea"),
        await desk.press(opened, "May be used in channels"),
        await desk.press(opened, "Forget"),
        await desk.press(listed, "Pause memory"),
        await desk.press(await desk.run("forget", "2"), "Forget"),
        await desk.press(await desk.run("forget"), "Forget everything"),
    ]
    assert [view.changed for view in changing] == [True] * 6
    proposed = await desk.run("forget")
    looking = [listed, opened, proposed, await desk.press(proposed, "Cancel"), await desk.press(proposed, "Cancel")]
    assert [view.changed for view in looking] == [False] * 5


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


async def test_a_second_press_is_told_the_same() -> None:
    """A double click doesn't take the place of the outcome; a stranger's press of that button still tells nothing."""
    desk = Desk(3)
    view = await desk.run("forget", "fact 2")
    done = await desk.press(view, "Forget")
    assert done.title.startswith("Forgotten: 1 thing")
    assert await desk.press(view, "Forget") == done
    assert len(desk.memory.of[ANN.key]) == 2
    assert await desk.press(view, "Forget", person=BOB) == STALE


async def test_suggestions_are_the_callers_own() -> None:
    """Whoever types is offered what is remembered of them, whatever the words; at most 25."""
    desk = Desk(30)
    assert await desk.commands.suggest(CommandEvent(BOB, GENERAL, "forget", "fact", MONDAY)) == []
    assert len(await desk.commands.suggest(CommandEvent(ANN, GENERAL, "forget", "", MONDAY))) == 25


async def test_a_suggestion_means_that_very_memory() -> None:
    """A row taken from autocompletion proposes that memory alone, cut short or not."""
    desk = Desk()
    long = "tea " * 60
    desk.memory.of[ANN.key] = [memory(long, number=1), memory("tea", number=2)]
    request = CommandEvent(ANN, DM, "forget", "tea tea", MONDAY)
    (suggestion,) = await desk.commands.suggest(request)
    assert len(suggestion) <= 100
    assert len((await desk.run("forget", suggestion)).items) == 1


@pytest.mark.parametrize("what", ["0", "99", "99999999999999999999", "²", "…", "\u200b", "\u2060 \ufeff"])
async def test_what_matches_nothing_is_told(what: str) -> None:
    """A number out of range or words that match nothing propose nothing."""
    view = await Desk(2).run("forget", what)
    assert "matches" in view.title
    assert view.buttons == ()


async def test_memory_that_is_switched_off_promises_nothing() -> None:
    """Where whoever runs the bot keeps no memories, the list says so, and not that it learns."""
    desk = Desk()
    commands = make_commands(desk.journal, desk.memory, remember=False)
    assert await commands.run(CommandEvent(ANN, DM, "memories", "", MONDAY)) == OFF


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


async def test_a_memory_is_shown_whole_with_its_messages() -> None:
    """Choosing a row shows the whole text, each message that taught it with its link, and what can be done."""
    desk = Desk(2)
    view = await desk.choose(await desk.run("memories"), 0)
    assert view.title == "1. fact 2"
    assert [(item.note, item.link) for item in view.items] == [("DM", "https://example.org/2")]
    assert [button.label for button in view.buttons] == ["Edit", "Forget", "May be used in channels", "Back"]
    assert "direct messages only" in view.footer


async def test_back_leads_to_the_page_that_was_left() -> None:
    """From a memory on the third page, Back shows the third page; from a search, the search."""
    desk = Desk(25)
    third = await desk.press(await desk.press(await desk.run("memories"), "Older"), "Older")
    assert await desk.press(await desk.choose(third, 2), "Back") == third
    found = await desk.run("memories", "fact 2")
    assert await desk.press(await desk.choose(found, 0), "Back") == found


async def test_a_memory_is_edited_in_a_form() -> None:
    """The form holds the text; what is sent takes its place and is marked as edited."""
    desk = Desk(2)
    opened = await desk.choose(await desk.run("memories"), 0)
    view = await desk.fill(opened, "Edit", "  likes green tea ")
    assert desk.form is not None
    assert (desk.form.value, view.title) == ("fact 2", "1. likes green tea")
    assert "You edited it on 2026-11-16" in view.footer
    assert "edited" in (await desk.run("memories")).items[0].note


async def test_a_text_that_is_too_long_is_not_cut() -> None:
    """More than a memory may hold changes nothing, and says so; a memory that is longer can't be opened in the form."""
    desk = Desk(1)
    desk.memory.of[ANN.key].append(memory("tea " * 600, number=2))
    listed = await desk.run("memories")
    view = await desk.fill(await desk.choose(listed, 1), "Edit", "x" * 2001)
    assert view.footer.startswith("Nothing was changed: 2,000 characters at most.")
    assert [row.text for row in desk.memory.of[ANN.key]] == ["fact 1", "tea " * 600]
    assert (await desk.fill(await desk.choose(listed, 1), "Edit", "x" * 2000)).title == "2. " + "x" * 2000
    long = await desk.choose(listed, 0)
    assert long.title.endswith("…")
    assert "Export has all of it" in long.footer
    refused = await desk.fill(long, "Edit", "tea")
    assert "too long to be edited" in refused.footer
    assert "Back" in [button.label for button in refused.buttons]


async def test_messages_that_are_left_out_are_counted() -> None:
    """A memory that many messages taught shows the last eight, and says how many there are."""
    desk = Desk()
    sources = tuple(Source(f"e{day}", MONDAY + timedelta(days=day), "DM") for day in range(12))
    desk.memory.of[ANN.key] = [replace(memory("likes tea"), sources=sources)]
    view = await desk.choose(await desk.run("memories"), 0)
    assert [item.text[:24] for item in view.items][:2] == ["You said so on 2026-11-2"] * 2
    assert len(view.items) == 8
    assert "Of the 12 messages that told me, the last 8 are shown" in view.footer


@pytest.mark.parametrize("text", ["", "  ", "fact 1", "\0"])
async def test_an_edit_that_changes_nothing_is_none(text: str) -> None:
    """An empty or equal text leaves the memory as it is."""
    desk = Desk(1)
    view = await desk.fill(await desk.choose(await desk.run("memories"), 0), "Edit", text)
    assert "Nothing was changed" in view.footer
    assert desk.memory.of[ANN.key][0].edited_at is None


async def test_a_memory_is_opened_to_channels_and_closed_again() -> None:
    """Its owner's click lets a memory be used in channels, and another click takes that back."""
    desk = Desk(1)
    opened = await desk.press(await desk.choose(await desk.run("memories"), 0), "May be used in channels")
    assert desk.memory.of[ANN.key][0].scope == SHARED_SCOPE
    assert "may be used in channels" in opened.footer
    closed = await desk.press(opened, "Keep to where I learned it")
    assert desk.memory.of[ANN.key][0].scope == "private"
    assert "May be used in channels" in [button.label for button in closed.buttons]


async def test_one_memory_is_forgotten_from_its_own_view() -> None:
    """Forget in a memory's view takes that one and its messages; the others stay."""
    desk = Desk(2)
    done = await desk.press(await desk.choose(await desk.run("memories"), 1), "Forget")
    assert done.title.startswith("Forgotten: 1 thing")
    assert [row.text for row in desk.memory.of[ANN.key]] == ["fact 2"]
    assert desk.journal.texts.forgotten == ["e1"]


@pytest.mark.parametrize("label", ["Forget", "May be used in channels", "Edit", "Back"])
async def test_nobody_reaches_anothers_memory(label: str) -> None:
    """With another's view before them, a stranger's clicks and forms neither show nor change anything of it."""
    desk = Desk(1)
    listed = await desk.run("memories")
    opened = await desk.choose(listed, 0)
    before = list(desk.memory.of[ANN.key])
    views = [await desk.choose(listed, 0, person=BOB)]
    if label == "Edit":
        views.append(await desk.fill(opened, label, "Bob was here", person=BOB))
        stolen = SubmitEvent(BOB, DM, opened.buttons[0].action, "Bob was here", MONDAY)
        views.append(await desk.commands.submit(stolen))
    else:
        views.append(await desk.press(opened, label, person=BOB))
    assert desk.memory.of[ANN.key] == before
    assert all("fact 1" not in line for view in views for line in view.lines())


async def test_memory_is_paused_and_resumed() -> None:
    """A click pauses, the list says so, and a click resumes; nothing is lost by it."""
    desk = Desk(2)
    assert "paused" in (await desk.press(await desk.run("memories"), "Pause memory")).title
    assert (await desk.journal.accounts.account(ANN.key)).paused
    listed = await desk.run("memories")
    assert "Memory is paused" in listed.footer
    assert len(listed.items) == 2
    await desk.press(listed, "Resume memory")
    assert not (await desk.journal.accounts.account(ANN.key)).paused


async def test_everything_can_be_taken_along() -> None:
    """Export gives a JSON file with the memories, superseded ones too, their messages, and what the journal holds."""
    desk = Desk(2)
    view = await desk.press(await desk.run("memories"), "Export")
    assert view.file is not None
    assert view.file.name == "memories-2026-11-16.json"
    exported = json.loads(view.file.content)
    assert [row["text"] for row in exported["memories"]] == ["fact 2", "fact 1"]
    assert exported["memories"][0]["sources"][0]["link"] == "https://example.org/2"
    assert exported["linked_accounts"] == []


async def test_the_list_says_what_is_kept() -> None:
    """Under the list stands where things are kept, and for how long."""
    footer = (await Desk(1).run("memories")).footer
    assert "24 hours" in footer
    assert "database" in footer


async def test_everything_since_a_time_is_forgotten() -> None:
    """Words that name a time propose what was learned since then; older memories stay."""
    desk = Desk(5)  # learned on the five days after Monday, the 16th
    now = MONDAY + timedelta(days=5, hours=1)
    for words, count in (("today", 1), ("everything since yesterday", 2), ("since Wednesday", 4)):
        view = await desk.commands.run(CommandEvent(ANN, DM, "forget", words, now))
        assert f"That is {count} thing" in view.title, words
    assert [button.label for button in view.buttons] == ["Forget", "Cancel"]  # up to now: there is no "only until"
    done = await desk.press(view, "Forget")
    assert done.title.startswith("Forgotten: 4 things")
    assert [row.text for row in desk.memory.of[ANN.key]] == ["fact 1"]
    ((start, end),) = desk.journal.texts.ranges
    assert start.isoformat() == "2026-11-18T00:00:00+00:00"
    assert end >= now


async def test_a_stretch_that_is_over_can_be_meant_alone() -> None:
    """For "yesterday" there is a second button, which leaves what was learned since."""
    desk = Desk(3)
    now = MONDAY + timedelta(days=3, hours=1)
    view = await desk.commands.run(CommandEvent(ANN, DM, "forget", "yesterday", now))
    assert [button.label for button in view.buttons][:2] == ["All since then (2)", "Only until 2026-11-19 (UTC) (1)"]
    await desk.press(view, view.buttons[1].label)
    assert [row.text for row in desk.memory.of[ANN.key]] == ["fact 1", "fact 3"]


async def test_everything_can_be_forgotten_while_the_memory_is_down() -> None:
    """The wish is taken all the same: what can go goes at once, and the memories as soon as they can be reached."""
    desk = Desk(3)
    desk.memory.failure = MemoryUnavailable("down")
    view = await desk.run("forget")
    assert "out of reach just now" in view.title
    told = await desk.press(view, "Forget everything")
    assert "not all of it is erased yet" in told.title
    assert desk.journal.texts.forgotten == [ANN.key]
    desk.memory.failure = None
    await make_privacy(desk.journal, desk.memory).eraser.tick()
    assert desk.memory.of[ANN.key] == []


async def test_a_failed_part_is_told_and_done_later() -> None:
    """Where the memories can't be reached, the person is told that it goes on, and it does."""
    desk = Desk(3)
    view = await desk.run("forget")
    desk.memory.failure = MemoryUnavailable("down")
    told = await desk.press(view, "Forget everything")
    assert "go on erasing" in told.footer
    assert desk.journal.texts.forgotten == [ANN.key]
    assert (await desk.journal.accounts.account(ANN.key)).erasing
    desk.memory.failure = None
    await make_privacy(desk.journal, desk.memory).eraser.tick()
    assert desk.memory.of[ANN.key] == []
    assert not (await desk.journal.accounts.account(ANN.key)).erasing


@pytest.mark.parametrize(
    "what",
    [
        "today to 0001-01-01",
        "since 0001-01-01",
        "9999-12-31",
        "999 years ago",
        "#" + "9" * 5000,
        "9" * 5000,
        "²",
        "١",
        "from 29 february to 30 february 2021",
    ],
)
async def test_no_date_or_number_is_an_outage(what: str) -> None:
    """A date outside of every calendar, or a number of any size, is told to match nothing."""
    view = await Desk(1).run("forget", what)
    assert view.title.startswith("Nothing that I remember about you matches")


@given(
    st.sampled_from(["forget", "memories"]),
    st.lists(
        st.sampled_from(
            [
                "since",
                "to",
                "today",
                "yesterday",
                "0001-01-01",
                "9999-12-31",
                "2023-02-30",
                "#1",
                "1",
                "-1",
                "²",
                "١",
                "99999999999",
                "last",
                "year",
            ]
        )
        | st.integers().map(str)
        | st.dates().map(str)
        | st.text(max_size=5),
        max_size=5,
    ).map(" ".join),
)
@settings(max_examples=200)
def test_nothing_that_people_type_is_an_outage(name: str, what: str) -> None:
    """Whatever stands behind a command, the memory is not said to be out of reach."""
    assert asyncio.run(Desk(1).run(name, what)) != UNAVAILABLE
