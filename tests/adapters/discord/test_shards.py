"""Discord's shards divided between processes: each gets its own servers' events, by the gateway that REST names."""

import pytest

from adapters.discord.adapter import DiscordAdapter
from bot.config import Settings, SettingsError
from tests.adapters.core import StubCore
from tests.adapters.discord.support import last_seen, running
from tests.fakes.discord import FakeDiscord


async def test_two_processes_divide_the_servers() -> None:
    """Each message is answered by one of them, direct messages by the first; so is what was missed."""
    first, second = StubCore(), StubCore()
    async with FakeDiscord() as fake:
        even = fake.add_channel(fake.add_guild("Even", shard=(0, 2)), "general")
        odd = fake.add_channel(fake.add_guild("Odd", shard=(1, 2)), "general")
        first.seen = second.seen = [last_seen(channel, fake.snowflake(1)) for channel in (even, odd)]
        missed = await fake.say(odd, "Ana", "missed")
        async with (
            running(fake, first, discord_shard_ids="0", discord_shard_count=2),
            running(fake, second, discord_shard_ids=" 1 ", discord_shard_count=2),
        ):
            for message in (missed, await fake.say(even, "Ana", "even"), await fake.say(odd, "Ana", "odd")):
                await fake.answer_to(message)
            await fake.answer_to(await fake.dm("Ana", "direct"))
        assert sorted(str(identify["shard"]) for identify in fake.gateway.seen_identify) == ["[0, 2]", "[1, 2]"]
    assert [event.text for event in first.events] == ["even", "direct"]
    assert [event.text for event in second.events] == ["missed", "odd"]
    assert (first.removed, second.removed) == ([], [])


@pytest.mark.parametrize(
    ("ids", "count", "named"),
    [
        ("0,1", None, "DISCORD_SHARD_COUNT: missing"),
        (None, 2, "DISCORD_SHARD_IDS: missing"),
        ("0,2", 2, "DISCORD_SHARD_IDS: must"),
        ("0,0", 2, "DISCORD_SHARD_IDS: must"),
        ("0,", 2, "DISCORD_SHARD_IDS: must"),
        ("-1", 2, "DISCORD_SHARD_IDS: must"),
        ("first", 2, "DISCORD_SHARD_IDS: must"),
    ],
)
def test_what_is_no_division_is_named(ids: str | None, count: int | None, named: str) -> None:
    """Half of the pair, or numbers that are none, end the start with a line that names the variable."""
    settings = Settings.model_validate(
        {"discord_token": "token", "discord_shard_ids": ids, "discord_shard_count": count}
    )
    with pytest.raises(SettingsError, match=f"^{named}"):
        DiscordAdapter(settings, StubCore())
