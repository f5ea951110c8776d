"""Forgotten means gone: the bot as processes of its own, on two platforms, with words that must be left nowhere."""

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from PIL.PngImagePlugin import PngInfo

from adapters.discord.asking import GONE, NAME
from bot.ports import ChatMisconfigured
from tests.fakes.discord import Interaction
from tests.files import samples
from tests.hostile.stage import DONE, HOLD_ANSWER, HOLD_LESSON, KEEP, REFUSE, WISH, Stage, new_word
from tests.makers import until

QUESTION = "What do you know about me?"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str | None:
    """The database: one file for one process, or a PostgreSQL that two share."""
    return None if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


async def shown(stage: Stage, name: str, argument: str = "", person: str = "ann") -> Interaction:
    """Run a command on Discord."""
    option = {"memories": "search", "forget": "what", "link": "code"}[name]
    interaction = await stage.discord.slash(person, name, {option: argument} if argument else {})
    await interaction.answer(30)
    return interaction


async def pressed(stage: Stage, view: Interaction, label: str) -> Interaction:
    """Press a button on Discord, and wait for what takes the view's place."""
    interaction = await stage.discord.press("ann", view.buttons[label], view)
    await interaction.answer(30)
    return interaction


async def chosen(stage: Stage, text: str) -> Interaction:
    """Choose the memory with that text from Ann's list on Discord."""
    listed = await shown(stage, "memories")
    label = next(label for label in listed.menu if text in label)
    interaction = await stage.discord.choose("ann", label, listed)
    await interaction.answer(30)
    return interaction


async def rewritten(stage: Stage, view: Interaction, text: str) -> None:
    """Edit the memory that is shown on Discord, in the form."""
    opened = await stage.discord.press("ann", view.buttons["Edit"], view)
    await until(lambda: opened.form is not None, 30)
    done = await stage.discord.submit("ann", text, view, opened)
    assert text in await done.answer(30)


async def linked(stage: Stage) -> None:
    """Join Ann's account on Slack to the one on Discord."""
    code = re.search(r"([0-9A-Z]{4})\W+([0-9A-Z]{4})", (await shown(stage, "link")).content)
    assert code
    asked = await stage.slack.command("UANN", "link", f"{code[1]}-{code[2]}")
    assert "Linked" in str(await stage.slack.press("UANN", asked, "Join"))


async def asked(stage: Stage) -> None:
    """Ask in every place for all that is known."""
    await stage.tell_all(*((place, QUESTION) for place in stage.places))


async def unknown(stage: Stage, *words: str) -> None:
    """Neither lists nor export, on either platform, show any of the words to Ann."""
    listed = await shown(stage, "memories")
    exported = await pressed(stage, listed, "Export")
    await until(lambda: bool(exported.files), 30)
    on_slack = await stage.slack.command("UANN", "memories")
    everything = f"{listed.content} {listed.menu} {exported.files} {json.dumps(on_slack)}"
    assert [word for word in words if word in everything] == []


async def soon_empty(stage: Stage, look: Callable[[], Awaitable[list[str]]]) -> None:
    """What is in hand has a moment to come to its end; then there is nothing left to see.

    Looks are counted, not seconds: on a busy machine one look stops a process for half a minute.
    """
    found = await look()
    for _ in range(15):
        if not found:
            break
        await asyncio.sleep(1)
        found = await look()
    assert found == [], stage.trouble()


async def test_everything(tmp_path: Path, url: str | None) -> None:
    """Told, learned, edited, shared, linked, waiting, being learned and being answered, then forgotten."""
    word = new_word()
    stage = Stage(tmp_path, url, [word])
    async with stage.open():
        texts = [f"My bird number {n} is a {word}." for n in range(len(stage.places))]
        _, deleted, edited, *_ = await asyncio.gather(
            stage.tell_all(*zip(stage.places, texts, strict=True)),
            stage.tell(stage.dms[1], f"The {word} ate a cherry."),
            stage.tell(stage.channels[0], "The bird is blue."),
            stage.tell(stage.dms[0], "I like tea."),
            stage.tell(stage.dms[0], "I like coffee.", "bob"),
        )
        await stage.learned()
        await stage.edit(edited, f"The {word} is green.")
        await stage.delete(deleted)
        await rewritten(stage, await chosen(stage, "tea"), f"calls the {word} Zoe")
        await pressed(stage, await chosen(stage, texts[0]), "May be used in channels")
        await linked(stage)
        await asked(stage)
        await stage.learned()
        assert word in (await shown(stage, "memories", word)).content

        # An error that quotes it, on its way through the log.
        refused = [await stage.say(place, f"{REFUSE}: the {word}") for place in (stage.channels[-2], stage.dms[1])]
        await asyncio.gather(*(stage.answer(told, ChatMisconfigured.sentence) for told in refused))
        assert stage.said("ChatMisconfigured")

        # Searched for and kept while the answer is made, in private and in a channel.
        kept = ((stage.dms[1], f"{KEEP} my locker holds the {word}"), (stage.channels[0], f"{KEEP} my {word} is old"))
        await stage.tell_all(*kept)
        assert {text.partition(".")[0] for text in stage.told()} >= {"Kept"}

        # Words that a button in a channel will look for.
        await stage.tell(stage.channels[0], f"{WISH} the {word}")

        # Off the record, for a moment.
        for state in ("on", "off"):
            await stage.slack.command("UANN", "private", state)
        assert len(stage.off_record()) == 1

        # In flight: a lesson, what waits behind it, and an answer by each process.
        await stage.say(stage.dms[0], f"The {word} sings; {HOLD_LESSON}.")
        await asyncio.wait_for(stage.model.learning.wait(), 30)
        await stage.tell(stage.dms[1], f"The {word} flies.")
        answering = [
            await stage.say(place, f"The {word} sleeps; {HOLD_ANSWER}.") for place in (stage.dms[0], stage.channels[-2])
        ]
        await asyncio.wait_for(stage.claude.busy(3), 30)
        stage.analyze()
        assert stage.stored()
        held = await stage.alive()
        assert len({line.split(":")[0] for line in held}) == stage.count
        assert len(stage.counted()) == 3, "Ann on both platforms, and Bob"
        assert len(stage.introduced()) == 3

        done = await pressed(stage, await shown(stage, "forget"), "Forget everything")
        assert "Everything is forgotten" in done.content
        mark = len(stage.claude.requests)
        assert len(stage.counted()) == len(stage.introduced()) == 1, "Bob alone"
        assert stage.off_record() == set()
        await soon_empty(stage, lambda: asyncio.to_thread(stage.stored))
        stage.release()
        await asyncio.gather(*map(stage.answer, answering))
        await until(lambda: stage.said("superseded"), 30)
        assert len(stage.counted()) == 1, "nothing that was in flight is ascribed to her"
        assert len(stage.introduced()) == 1, "and no answer that was in flight has told her anything"
        await soon_empty(stage, stage.alive)
        await asked(stage)
        await stage.learned()
        await unknown(stage, word)
        await soon_empty(stage, lambda: asyncio.to_thread(stage.stored))
        assert stage.asked_since(mark, word) == []
        assert "1 thing" in (await shown(stage, "memories", person="bob")).content
        await soon_empty(stage, stage.alive)
    assert stage.stored() == []
    assert stage.logged() == []


async def test_one_after_the_other(tmp_path: Path, url: str | None) -> None:
    """One memory, what holds some words, a deleted message, an edited one, a day: each goes, and all that quotes it."""
    words = single, said, deleted, edited, today = [new_word() for _ in range(5)]
    stage = Stage(tmp_path, url, words)
    async with stage.open():
        _, doomed, changed, *_ = await asyncio.gather(
            stage.tell(stage.dms[0], f"My bird is a {single}."),
            stage.tell(stage.dms[1], f"{KEEP} my fish is a {deleted}."),
            stage.tell(stage.channels[0], f"{KEEP} my cat is a {edited}."),
            stage.tell(stage.channels[-2], f"My dog is a {today}."),
            stage.tell(stage.channels[-1], f"My cow is a {said}."),
        )
        await stage.learned()
        await linked(stage)
        await asked(stage)
        assert stage.stored()
        listed = await shown(stage, "memories")
        assert all(word in listed.content for word in words)

        # Words: learned long ago, being learned, waiting and being answered.
        await stage.say(stage.dms[0], f"The {said} sings; {HOLD_LESSON}.")
        await asyncio.wait_for(stage.model.learning.wait(), 30)
        await stage.tell(stage.channels[0], f"The {said} flies.")
        answering = [
            await stage.say(stage.dms[0], f"The {said} sleeps; {HOLD_ANSWER}."),
            await stage.say(stage.channels[-2], f"{QUESTION} And {HOLD_ANSWER}."),
        ]
        await asyncio.wait_for(stage.claude.busy(3), 30)
        proposal = await shown(stage, "forget", said)
        assert "messages" in proposal.content
        await pressed(stage, proposal, "Forget")
        mark = len(stage.claude.requests)
        await soon_empty(stage, lambda: asyncio.to_thread(stage.stored, said))
        stage.release()
        await asyncio.gather(*map(stage.answer, answering))
        await asked(stage)
        await unknown(stage, said)
        assert stage.asked_since(mark, said) == []

        # One memory, and messages on their platforms.
        await pressed(stage, await chosen(stage, single), "Forget")
        await stage.delete(doomed)
        await stage.edit(changed, "My cat is grey.")
        await soon_empty(stage, lambda: asyncio.to_thread(stage.stored, single, deleted, edited))
        mark = len(stage.claude.requests)
        await asked(stage)
        await stage.learned()
        await unknown(stage, single, said, deleted, edited)
        assert stage.asked_since(mark, single, said, deleted, edited) == []
        assert "grey" in (await shown(stage, "memories")).content

        # A day.
        await pressed(stage, await shown(stage, "forget", "today"), "Forget")
        mark = len(stage.claude.requests)
        await asked(stage)
        await stage.learned()
        await unknown(stage, *words)
        assert stage.asked_since(mark, *words) == []
        await soon_empty(stage, lambda: asyncio.to_thread(stage.stored))
        await soon_empty(stage, stage.alive)
    assert stage.stored() == []
    assert stage.logged() == []


async def test_words_of_others(tmp_path: Path, url: str | None) -> None:
    """What was said around a question, and the answer that repeats it: on no disk, in no log, and in no live object."""
    word = new_word()
    stage = Stage(tmp_path, url, [word], DISCORD_MESSAGE_CONTENT="true")
    stage.discord.gateway.content = True
    async with stage.open():
        for place in stage.channels:
            await stage.talk(place, f"Our bird is a {word}.")
        mark = len(stage.claude.requests)
        for place in stage.channels:
            asked = await stage.say(place, "Repeat what Bob said.")
            assert word in await stage.answer(asked)
        assert len(stage.asked_since(mark, word)) >= len(stage.channels)
        await stage.learned()
        stage.analyze()
        await soon_empty(stage, lambda: asyncio.to_thread(stage.stored))
        await soon_empty(stage, stage.alive)
        assert word not in (await shown(stage, "memories")).content
    assert stage.stored() == []
    assert stage.logged() == []


async def test_what_somebody_asks_about(tmp_path: Path, url: str | None) -> None:
    """A message of Bob's that Ann chooses on Discord is in the process's memory while she asks, and then nowhere.

    It was never on disk: not while the form is open, nor while the answer grows, which repeats it. A form that is never
    sent holds it no longer once another message is chosen.
    """
    word = new_word()
    stage = Stage(tmp_path, url, [word])
    channel = stage.channels[0].discord
    assert channel is not None
    async with stage.open():
        await stage.tell(stage.dms[0], "I like tea.")

        async def choose(text: str) -> Interaction:
            message = stage.discord.message(channel, stage.discord.user("bob"), text)
            opened = await stage.discord.choose_message("ann", message, channel, NAME)
            await until(lambda: opened.form is not None, 30)
            return opened

        left_open = await choose(f"The {word} sang.")
        assert await stage.alive(), "the eye sees what a form holds"
        opened = await choose(f"The {word} sings.")
        growing = await stage.discord.fill_in("ann", f"Repeat it; {HOLD_ANSWER}.", opened)
        await asyncio.wait_for(stage.claude.busy(1), 30)
        assert await stage.alive(), "the eye sees what an answer holds"
        assert await asyncio.to_thread(stage.stored) == []
        stage.release()
        await until(lambda: word in growing.content and DONE in growing.content, 30)
        whole = await stage.discord.fill_in("ann", "Repeat it.", await choose(f"The {word} has sung."))
        await until(lambda: word in whole.content and DONE in whole.content, 30)
        await stage.learned()
        late = await stage.discord.fill_in("ann", "And that?", left_open)
        assert await late.answer(30) == GONE
        await asked(stage)
        assert await asyncio.to_thread(stage.stored) == []
        await soon_empty(stage, stage.alive)
        await unknown(stage, word)
    assert stage.stored() == []
    assert stage.logged() == []


async def test_files(tmp_path: Path, url: str | None) -> None:
    """What is in files that come with messages, as it is and as requests carry it: on no disk, in no log, in no object.

    The model sees it, and says nothing of it.
    """
    word = new_word()
    about = PngInfo()
    about.add_text("Comment", word)
    picture = samples.picture(60, 40, pnginfo=about)
    carried = base64.b64encode(picture).decode()[60:120].lower()
    files = {"bird.txt": f"The bird is a {word}.".encode(), "bird.png": picture, "bird.pdf": samples.pdf()}
    stage = Stage(tmp_path, url, [word, carried])
    async with stage.open():
        mark = len(stage.claude.requests)
        for place in (*stage.dms, *stage.channels):
            await stage.answer(await stage.say(place, "Which bird is it?", "bob", files=files))
        # An error whose exception holds the request.
        refused = await stage.say(stage.dms[1], f"{REFUSE}?", "bob", files=files)
        await stage.answer(refused, ChatMisconfigured.sentence)
        assert len(stage.asked_since(mark, word)) == len(stage.asked_since(mark, carried)) >= len(stage.channels)
        await stage.learned()
        stage.analyze()
        await soon_empty(stage, lambda: asyncio.to_thread(stage.stored))
        await soon_empty(stage, stage.alive)
    assert stage.stored() == []
    assert stage.logged() == []
