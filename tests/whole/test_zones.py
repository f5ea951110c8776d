"""A person's own time, through the whole bot: what the model is told, what is learned, listed and forgotten."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.fakes.claude import FakeClaude, briefing, last_text
from tests.fakes.discord import FakeDiscord
from tests.fakes.slack import FakeSlack
from tests.faults.clock import build
from tests.makers import until
from tests.whole.process import BotProcess

ANN, GENERAL = "UANN", "C0GENERAL"
NEW_YORK = ZoneInfo("America/New_York")


async def test_an_evening_in_new_york(tmp_path: Path) -> None:
    """At 20:30 there it is tomorrow by UTC: prompt, extraction, list and "today" all go by the person's own day."""
    async with FakeClaude() as claude, FakeSlack() as slack:
        slack.add_user(ANN, "Ann")
        slack.zones[ANN] = {"tz": NEW_YORK.key, "tz_offset": -18_000}
        channel = slack.dm_channel(ANN)
        offset = tmp_path / "offset"

        def at(local: str) -> None:
            """Set the clock of the bot, and of Slack."""
            moment = datetime.fromisoformat(local).replace(tzinfo=NEW_YORK)
            slack.epoch = int(moment.timestamp())
            offset.write_text(str(int(moment.timestamp() - datetime.now(NEW_YORK).timestamp())))

        async def learned(text: str) -> str:
            """The request by which that was learned, once it is."""
            await slack.answer(channel, until=lambda shown: text in shown)
            await until(lambda: any(text in last_text(one) for one in claude.extractions), 30)
            return next(last_text(one) for one in claude.extractions if text in last_text(one))

        env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, **slack.environment()}
        env |= {"LD_PRELOAD": str(build(tmp_path)), "CLOCK_FILE": str(offset)}
        at("2026-11-26T23:30")
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("slack: listening")
            await slack.dm(ANN, "I like figs.")
            await learned("I like figs.")
            at("2026-11-27T00:30")
            await slack.dm(ANN, "I like plums.")
            await learned("I like plums.")

            at("2026-11-27T20:30")
            await slack.dm(ANN, "Tomorrow I fly to Oslo.")
            prompt = await learned("Tomorrow I fly to Oslo.")
            assert "\n[1] 2026-11-27T20:30:00-05:00, Ann\nuser: Tomorrow I fly to Oslo.\n" in prompt
            assert "\n\n## Observation Date\n2026-11-27\n\n" in prompt
            told = briefing(claude.chats[-1])
            assert "Today is Friday, 2026-11-27, and the time is 20:30 (America/New_York)." in told
            assert 'You are "memory" on Slack. You are talking to "Ann" in private: nobody else reads along.' in told
            assert "- [2026-11-26] I like figs." in told

            ts = await slack.mention(GENERAL, ANN, "what day is it tomorrow?")
            await slack.answer(GENERAL, ts)
            assert 'to "Ann" in "#general", which is public' in briefing(claude.chats[-1])

            listed = await slack.command(ANN, "memories")
            for text, day in (("figs", "2026-11-26"), ("plums", "2026-11-27"), ("Oslo", "2026-11-27")):
                assert day in next(row for row in _rows(listed) if text in row)
            home = await slack.press(ANN, listed, "1. Tomorrow I fly to Oslo.")
            assert "2026-11-27 at 20:30 (EST)" in str(home)

            asked = await slack.command(ANN, "forget", "today")
            assert "since 2026-11-27 (EST)" in str(asked)
            await slack.press(ANN, asked, "Forget")
            left = str(await slack.command(ANN, "memories"))
            assert [word in left for word in ("figs", "plums", "Oslo")] == [True, False, False]
            assert "New_York" not in "\n".join(bot.log)


def _rows(view: object) -> list[str]:
    """The texts of a view's blocks."""
    if isinstance(view, dict):
        own = [view["text"]] if isinstance(view.get("text"), str) else []
        return own + [text for value in view.values() for text in _rows(value)]
    return [text for value in view for text in _rows(value)] if isinstance(view, list) else []


async def test_discord_goes_by_the_operators_zone(tmp_path: Path) -> None:
    """Discord tells no zone: BOT_TIMEZONE is everybody's, in the prompt, in what is learned and in what is listed."""
    # One in which the date isn't that of UTC just now.
    zone = ZoneInfo("Pacific/Kiritimati" if datetime.now(UTC).hour >= 12 else "Etc/GMT+12")
    async with FakeClaude() as claude, FakeDiscord() as discord:
        env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, "BOT_TIMEZONE": zone.key}
        env |= {"DISCORD_TOKEN": discord.token, "DISCORD_API_BASE": discord.url}
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("discord: listening")
            began = datetime.now(zone) - timedelta(seconds=2)
            asked = await discord.dm("ann", "Tomorrow I fly to Oslo.")
            await discord.answer_to(asked, contains="Oslo", within=30)
            ended = datetime.now(zone)
            told = briefing(claude.chats[-1])
            times = [f"Today is {at:%A, %Y-%m-%d}, and the time is {at:%H:%M} ({zone.key})." for at in (began, ended)]
            assert any(time in told for time in times)
            assert 'You are "Memo" on Discord. You are talking to "ann" in private' in told
            await until(lambda: any("Oslo" in last_text(one) for one in claude.extractions), 30)
            prompt = last_text(claude.extractions[-1])
            assert f"{began.isoformat()[-6:]}, ann\nuser: Tomorrow" in prompt
            assert any(f"\n\n## Observation Date\n{at:%Y-%m-%d}\n" in prompt for at in (began, ended))
            await asyncio.sleep(1)
            shown = await discord.slash("ann", "memories")
            await until(lambda: "Oslo" in shown.content, 20)
            assert any(f"{at:%Y-%m-%d}, DM" in shown.content.replace("\\", "") for at in (began, ended))
            assert zone.key not in "\n".join(bot.log)
