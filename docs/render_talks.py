"""Draws the README's two conversations: `python -m docs.render_talks`.

The program itself runs against the tests' Slack, Discord and Claude. People say what stands here, and so does Claude,
once it was asked with what it needs for it: the thread above, the picture, what the bot remembers. What the platforms
then hold is drawn, and put into the PNG as its `payload`, by which a test tells whether a picture is out of date.
"""

import asyncio
import json
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from docs import draw_talks, draw_views
from tests.fakes.claude import FakeClaude, Request, default, is_extraction, last_text
from tests.fakes.claude_files import blocks, content_of
from tests.fakes.discord import FakeDiscord
from tests.fakes.slack import BOT, FakeSlack
from tests.makers import until
from tests.whole.process import BotProcess

HERE = Path(__file__).parent
#: The conversations, by the names of their pictures.
TALKS = ("slack-thread", "discord-picture")

NAMES = {"U0ANN": "Ann", "U0TOM": "Tom", "U0PRIYA": "Priya", BOT: "memory"}
KNOWN_AT_WORK = "From now on I write the release notes."
THREAD = (
    ("U0TOM", "Release 4.2 is ready except for the French texts. Do we still ship on Thursday?"),
    ("U0PRIYA", "They arrive on Wednesday at noon, and I want to check them on staging first. That takes me a day."),
    ("U0TOM", "Friday at 9:00, then. The status page needs a notice the day before. I'll write it."),
    ("U0PRIYA", "Friday works."),
)
ASKED_IN_THREAD = "I was away: what did you agree on, and is there anything for me?"
SUMMARY = """\
**Release 4.2 ships on Friday at 9:00**, a day later than planned, so that Priya can check the French texts on staging.

| Who | What | By |
| --- | --- | --- |
| Priya | French texts on staging | Thursday |
| Tom | Notice on the status page | Thursday |

Nobody has assigned you anything. But you write the release notes now, so those are due by Friday, too."""

KNOWN_AT_HOME = "My dentist's appointment on Thursday ends at half past four, ten minutes' walk from the station."
ASKED_WITH_PICTURE = "Which of these do I catch after the dentist?"
READ_OFF = """\
**The 16:52 to Bristol, from platform 3.** Your appointment ends at 16:30 and it's ten minutes to the station, \
so you'll just miss the 16:37.

If the dentist runs late, the 17:22 is 15 minutes behind and should leave at 17:37."""


def claude(request: Request) -> str:
    """What Claude says, where it was given what that takes."""
    if is_extraction(request):
        return default(request)
    asked, known = last_text(request), json.dumps(request, ensure_ascii=False)
    if ASKED_IN_THREAD in asked:
        assert all(text in asked for _, text in THREAD), "the thread above is missing"
        assert KNOWN_AT_WORK in known, "the memory is missing"
        return SUMMARY
    if ASKED_WITH_PICTURE in asked:
        assert [content_of(block) for block in blocks(request, "image")] == [draw_talks.board()], "no picture"
        assert KNOWN_AT_HOME in known, "the memory is missing"
        return READ_OFF
    return "Noted."


async def _remembered(model: FakeClaude, folder: Path) -> None:
    """Wait until what was told is remembered."""
    await until(lambda: bool(model.extractions), 60)

    def holds() -> bool:
        with closing(sqlite3.connect(folder / "data" / "bot.db")) as file:
            return bool(file.execute("SELECT count(*) FROM exchanges").fetchone() == (0,))

    await until(holds, 60)


def _env(model: FakeClaude, more: Mapping[str, str]) -> dict[str, str]:
    # The line below an answer that taught something comes some time later.
    return {"ANTHROPIC_API_KEY": "sk-ant-test", "ANTHROPIC_BASE_URL": model.url, "BOT_MEMORY_NOTICE": "off", **more}


async def _on_slack(folder: Path) -> list[draw_talks.Said]:
    async with FakeClaude(claude) as model, FakeSlack(patience=60) as slack:
        slack.users |= NAMES
        launch = slack.add_channel("C0LAUNCH0", "launch")
        async with BotProcess(folder, _env(model, slack.environment())) as bot:
            await bot.said("memory is ready")
            told = await slack.mention("C0GENERAL", "U0ANN", KNOWN_AT_WORK)
            await slack.answer("C0GENERAL", told)
            await _remembered(model, folder)
            (begun, first), *others = THREAD
            root = slack.unheard(launch, begun, first)
            for user, text in others:
                slack.unheard(launch, user, text, root)
            await slack.mention(launch, "U0ANN", ASKED_IN_THREAD, root)
            await slack.wait(lambda: any(map(_is_whole, slack.answers(launch, root))))
        return [
            draw_talks.Said(
                NAMES[message["user"]], message["user"] == BOT, message["text"], message.get("blocks") or []
            )
            for message in slack.messages[launch]
        ]


def _is_whole(message: dict[str, Any]) -> bool:
    return bool(((message.get("metadata") or {}).get("event_payload") or {}).get("done"))


async def _on_discord(folder: Path) -> list[draw_talks.Said]:
    async with FakeClaude(claude) as model, FakeDiscord() as discord:
        env = {"DISCORD_TOKEN": discord.token, "DISCORD_API_BASE": discord.url}
        async with BotProcess(folder, _env(model, env)) as bot:
            await bot.said("memory is ready")
            told = await discord.dm("Ann", KNOWN_AT_HOME)
            await discord.answer_to(told, within=60)
            await _remembered(model, folder)
            asked = await discord.dm("Ann", ASKED_WITH_PICTURE, files={"departures.png": draw_talks.board()})
            await discord.answer_to(asked, contains="17:37", within=60)
        ids = {asked, *(answer["id"] for answer in discord.answers(asked))}
        shown = [message for key, message in discord.dm_with("Ann").messages.items() if key in ids]
        return [
            draw_talks.Said(
                "memory" if message["author"]["id"] == discord.bot.id else "Ann",
                message["author"]["id"] == discord.bot.id,
                message["content"],
                message.get("components") or [],
                tuple(file["filename"] for file in message["attachments"]),
            )
            for message in shown
        ]


async def payload(talk: str) -> list[draw_talks.Said]:
    """What the platform holds of a conversation once it is over."""
    with tempfile.TemporaryDirectory() as folder:
        return await (_on_slack if talk.startswith("slack") else _on_discord)(Path(folder))


def written(said: list[draw_talks.Said]) -> str:
    """A conversation as it stands in its picture's file; what is named anew each time is left out."""
    return json.dumps([each.lasting for each in said], ensure_ascii=False, indent=1)


def main() -> None:
    """Draw both pictures."""
    for talk in TALKS:
        said = asyncio.run(payload(talk))
        picture = HERE / f"{talk}.png"
        draw_views.photograph(draw_talks.page(talk.partition("-")[0], said), picture, width=draw_talks.WIDTH)
        about = PngImagePlugin.PngInfo()
        about.add_itxt("payload", written(said), zip=True)
        with Image.open(picture) as drawn:
            drawn.convert("RGB").quantize(128).save(picture, pnginfo=about, optimize=True)


if __name__ == "__main__":
    main()
