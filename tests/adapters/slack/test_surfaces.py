"""Slack: menus, forms, files and the App Home."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.slack import views as slack_views
from adapters.slack.adapter import SlackAdapter
from bot.model import Person
from bot.views import Button, File, Form, Item, Option, View
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import TEAM, FakeSlack, Fault

ANN, BEN = "U0ANN", "U0BEN"
GENERAL = "C0GENERAL"
LIST = View(
    "I remember 1 thing about you",
    (Item(1, "Likes tea"),),
    "A footer.",
    (Button("Older", "page:2"), Button("Edit", "edit:7", opens_form=True)),
    (Option("1. Likes tea", "open:7"), Option("2. Is left-handed", "open:8")),
    "Choose one to change",
)


@pytest.fixture
async def core(slack: FakeSlack) -> AsyncIterator[ScriptedCore]:
    """A core behind an adapter that listens."""
    core = ScriptedCore()
    core.listing = LIST
    async with running(SlackAdapter(settings(slack), core)):
        yield core


def _texts(view: dict[str, object]) -> str:
    return str(view["blocks"])


async def test_menu(slack: FakeSlack, core: ScriptedCore) -> None:
    """Choosing from a view's menu is a press, and its answer takes the view's place."""
    shown = await slack.command(ANN, "memories", "", GENERAL)
    taken = await slack.press(ANN, shown, "2. Is left-handed", GENERAL)
    assert (taken["replace_original"], taken["text"]) == (True, "Pressed open:8")
    assert (core.presses[0].action, core.presses[0].person) == ("open:8", Person("slack", TEAM, ANN))
    assert core.presses[0].place.channel == GENERAL


async def test_form(slack: FakeSlack, core: ScriptedCore) -> None:
    """A button that asks opens a form with what stands in it; what is filled in takes the view's place."""
    shown = await slack.command(ANN, "memories", "", GENERAL)
    modal = await slack.open_form(ANN, shown, "Edit", GENERAL)
    block = modal.view["blocks"][0]
    assert modal.view["title"]["text"] == "Edit what I remember"
    assert (block["label"]["text"], block["element"]["initial_value"]) == ("What I should remember", "Likes tea")
    assert block["element"]["multiline"]
    assert modal.view["submit"]["text"] == "Save"
    taken = await slack.submit(ANN, modal, "Likes <cocoa>")
    assert (taken["replace_original"], taken["text"]) == (True, "Now it says Likes &lt;cocoa&gt;")
    (submit,) = core.submits
    assert (submit.action, submit.text, submit.person) == ("edit:7", "Likes <cocoa>", Person("slack", TEAM, ANN))
    assert (submit.place.channel, submit.place.audience) == (GENERAL, "public")
    assert core.presses == []
    await slack.acknowledged()


async def test_form_in_a_thread(slack: FakeSlack, core: ScriptedCore) -> None:
    """A form that was opened in a thread answers in it, though its response URL has run out."""
    root = await slack.say(GENERAL, ANN, "lunch?")
    await slack.mention(GENERAL, ANN, "memories", root)
    shown = await slack.whispered(ANN)
    modal = await slack.open_form(ANN, shown, "Edit")
    slack.responses.clear()
    submitting = asyncio.create_task(slack.submit(ANN, modal, "cocoa"))
    said = await slack.whispered(ANN, 2)
    submitting.cancel()
    assert (said["thread_ts"], said["text"]) == (root, "Now it says cocoa")


async def test_form_refused(slack: FakeSlack, core: ScriptedCore) -> None:
    """Where the core opens no form, its view is shown; where Slack doesn't, a sentence says so, beside the view."""
    core.form = View("That button is no longer valid.")
    shown = await slack.command(ANN, "memories")
    taken = await slack.press(ANN, shown, "Edit")
    assert (taken["text"], taken["replace_original"]) == ("That button is no longer valid.", True)
    core.form = Form("Title", "Label", "", "edit:7")
    slack.fail("views.open", Fault(error="expired_trigger_id"))
    late = await slack.press(ANN, shown, "Edit")
    assert "did" in late["text"]
    assert late["replace_original"] is False


@pytest.mark.parametrize("limit", [1, 300, 2_000, 100_000])
def test_form_fits(limit: int) -> None:
    """However long the title, the label and the value are, the form is within Slack's limits."""
    form = slack_views.modal(Form("t" * 100, "l" * 100, "v" * 10_000, "a", limit), "{}")
    block = form["blocks"][0]
    assert len(form["title"]["text"]) <= 24
    assert len(block["label"]["text"]) <= 48
    assert len(block["element"]["initial_value"]) <= block["element"]["max_length"] <= 3_000


def test_menu_fits() -> None:
    """However many choices there are and however long, the menu is within Slack's limits."""
    view = View("Title", menu=tuple(Option("o" * 200, f"{n}:".ljust(90, "x")) for n in range(150)))
    menu = slack_views.blocks(view)[-1]["elements"][0]
    assert len(menu["options"]) == 100
    assert all(len(option["text"]["text"]) <= 75 and len(option["value"]) <= 150 for option in menu["options"])
    assert menu["placeholder"]["text"]


async def test_file(slack: FakeSlack, core: ScriptedCore) -> None:
    """A file goes into the person's direct messages, whole, and the view says so."""
    core.listing = View("Everything I keep about you", file=File("memories.json", b'{"tea": "\xc3\xa9"}'))
    shown = await slack.command(ANN, "memories", "", GENERAL)
    assert "direct messages" in shown["text"]
    (file,) = slack.files
    assert (file["name"], file["content"]) == ("memories.json", b'{"tea": "\xc3\xa9"}')
    assert file["channel"] == slack.dm_channel(ANN)


@pytest.mark.parametrize("method", ["conversations.open", "files.getUploadURLExternal", "files.completeUploadExternal"])
async def test_file_refused(slack: FakeSlack, core: ScriptedCore, method: str) -> None:
    """A file that Slack doesn't take is said to be missing, and the view is shown all the same."""
    core.listing = View("Everything I keep about you", file=File("memories.json", b"{}"))
    slack.fail(method, Fault(error="missing_scope"))
    shown = await slack.command(ANN, "memories")
    assert shown["text"].startswith("Everything I keep about you")
    assert f"python -m bot export slack:{TEAM}:{ANN}" in shown["text"]
    assert slack.files == []


async def test_home(slack: FakeSlack, core: ScriptedCore) -> None:
    """The App Home shows what is remembered to who has opened it."""
    await slack.open_home(ANN)
    view = await slack.home(ANN)
    assert "Likes tea" in _texts(view)
    (event,) = core.commands
    assert (event.name, event.argument, event.person) == ("home", "", Person("slack", TEAM, ANN))
    assert (event.place.audience, event.place.channel) == ("private", slack.dm_channel(ANN))
    await slack.open_home(BEN, tab="messages")
    await slack.acknowledged()
    assert BEN not in slack.homes


async def test_home_buttons(slack: FakeSlack, core: ScriptedCore) -> None:
    """Pages and menus work in the App Home, and what ends there has the list beneath it, anew."""
    await slack.open_home(ANN)
    view = await slack.home(ANN)
    core.pressed = lambda event: replace(LIST, title="Page 2")
    paged = await slack.press(ANN, view, "Older")
    assert "Page 2" in _texts(paged)
    assert len(core.commands) == 1
    core.pressed = lambda event: View("Forgotten.")
    core.listing = replace(LIST, items=(Item(1, "Is left-handed"),))
    ended = await slack.press(ANN, paged, "1. Likes tea")
    assert "Forgotten." in _texts(ended)
    assert "Is left-handed" in _texts(ended)
    assert [press.action for press in core.presses] == ["page:2", "open:7"]
    assert {press.place.channel for press in core.presses} == {slack.dm_channel(ANN)}
    assert {press.place.audience for press in core.presses} == {"private"}


async def test_home_form(slack: FakeSlack, core: ScriptedCore) -> None:
    """A form that was opened in the App Home shows its result there."""
    await slack.open_home(ANN)
    modal = await slack.open_form(ANN, await slack.home(ANN), "Edit")
    view = await slack.submit(ANN, modal, "cocoa")
    assert "Now it says cocoa" in _texts(view)
    assert "Likes tea" in _texts(view)
    assert core.submits[0].place.channel == slack.dm_channel(ANN)
    assert slack.ephemerals == []


async def test_home_file(slack: FakeSlack, core: ScriptedCore) -> None:
    """A file asked for in the App Home comes by direct message, and the App Home says so."""
    await slack.open_home(ANN)
    view = await slack.home(ANN)
    core.pressed = lambda event: View("Everything I keep about you", file=File("memories.json", b"{}"))
    assert "direct messages" in _texts(await slack.press(ANN, view, "Older"))
    assert len(slack.files) == 1


async def test_home_follows_what_was_changed_elsewhere(slack: FakeSlack, core: ScriptedCore) -> None:
    """What is changed by a command is changed in the App Home too, which Slack would show as it was; looking isn't."""
    await slack.open_home(ANN)
    assert "Likes tea" in _texts(await slack.home(ANN))
    shown = await slack.command(ANN, "memories", "", GENERAL)
    core.listing = replace(LIST, title="I remember nothing about you", items=(), menu=())
    core.pressed = lambda event: View("Forgotten: 1 thing.", changed=event.action == "open:7")
    await slack.press(ANN, shown, "2. Is left-handed", GENERAL)
    assert (await slack.press(ANN, shown, "1. Likes tea", GENERAL))["text"] == "Forgotten: 1 thing."
    after = await slack.home(ANN, 2)
    assert "Likes tea" not in _texts(after)
    await slack.acknowledged()
    assert len(slack.homes[ANN]) == 2
    assert "I remember nothing" in _texts(await slack.press(ANN, after, "Older"))


async def test_today_is_the_callers_day(slack: FakeSlack, core: ScriptedCore) -> None:
    """A command's time is in the zone that its caller has set in Slack; UTC where Slack tells none."""
    slack.zones[ANN] = {"tz": "Asia/Tokyo", "tz_offset": 32_400}
    slack.zones["U0CAT"] = {"tz": "Moon/Tycho", "tz_offset": -7200}
    slack.zones["U0DAN"] = {"tz": "../../etc/passwd", "tz_offset": "x"}
    for user in (ANN, BEN, "U0CAT", "U0DAN"):
        await slack.command(user, "forget", "today")
    await slack.mention(GENERAL, ANN, "forget today")
    await slack.whispered(ANN)
    offsets = [event.at.utcoffset() for event in core.commands]
    assert offsets == [timedelta(hours=hours) for hours in (9, 0, -2, 0, 9)]


@pytest.mark.parametrize(
    ("name", "said"), [("link", ""), ("link", "K7QF-2M9X"), ("unlink", ""), ("forget", "tea")], ids=str
)
async def test_commands(slack: FakeSlack, core: ScriptedCore, name: str, said: str) -> None:
    """Linking works as a slash command and in words after a mention; only the caller sees an answer."""
    answer = await slack.command(ANN, name, said)
    assert answer["response_type"] == "ephemeral"
    await slack.mention(GENERAL, ANN, f"/{name} {said}")
    await slack.whispered(ANN)
    await slack.acknowledged()
    assert [(event.name, event.argument) for event in core.commands] == [(name, said)] * 2
    assert (core.events, slack.answers(GENERAL)) == ([], [])


@pytest.mark.parametrize("said", ["link me to the plan", "link homepage", "unlink the two pages"])
async def test_talk_of_links(slack: FakeSlack, core: ScriptedCore, said: str) -> None:
    """Talk that begins with the word is talk."""
    ts = await slack.mention(GENERAL, ANN, said)
    assert await slack.answer(GENERAL, ts) == f"You said: {said}"
    assert core.commands == []
