"""What Discord refuses for good, through the whole bot: Claude is asked once, and nothing is learned from it."""

from pathlib import Path

from tests.fakes.claude import FakeClaude
from tests.fakes.discord import FakeDiscord, until
from tests.whole.process import BotProcess


async def test_an_answer_that_is_refused_is_paid_for_once(tmp_path: Path) -> None:
    """The person hears it in one sentence, Claude isn't asked again, and the next message is answered and learned."""
    async with FakeClaude() as claude, FakeDiscord() as discord:
        env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url}
        env |= {"DISCORD_TOKEN": discord.token, "DISCORD_API_BASE": discord.url}
        discord.filters["zyzzyva"] = (400, 200000)
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("discord: listening")
            refused = await discord.dm("ann", "a zyzzyva bit me")
            assert await discord.answer_to(refused, within=60) == "This server's AutoMod blocked my answer."
            taken = await discord.dm("ann", "I live in Lisbon")
            await discord.answer_to(taken, contains="Lisbon", within=60)
            await until(lambda: claude.extractions, "the lesson", 60)
            assert len(claude.chats) == 2
            assert "zyzzyva" not in str(claude.extractions)
            assert len(discord.answers(refused)) == 1
            assert any(f"discord:{refused}" in line and "200000" in line for line in bot.log)
