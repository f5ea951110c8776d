"""One connection to Discord's gateway: its shards and intents, and the handlers of its events."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Self

import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket

from adapters.discord.commands import add_commands
from adapters.discord.intake import Intake
from adapters.discord.rates import Rates
from bot.config import Settings, SettingsError
from bot.network import MAX_FILE, Connector

log = logging.getLogger(__name__)

#: With fewer IDENTIFYs left of the day's 1,000, reconnecting waits for the reset: using up the last resets the token.
SPARE_SESSIONS = 50
#: Seconds to wait for a route's rate limit. Longer ones fail the request, which discord.py would otherwise silently
#: delay for as long as they last.
LONGEST_LIMIT = 60.0


@dataclass(frozen=True, slots=True)
class Shards:
    """Which shards a process runs, and how many there are; None: all, as many as Discord recommends."""

    ids: list[int] | None = None
    count: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read DISCORD_SHARD_IDS and DISCORD_SHARD_COUNT. Raises SettingsError if they are invalid."""
        written, count = settings.discord_shard_ids, settings.discord_shard_count
        if written is None and count is None:
            return cls()
        if written is None:
            raise SettingsError("DISCORD_SHARD_IDS: missing (DISCORD_SHARD_COUNT is set; both are needed)")
        if count is None:
            raise SettingsError("DISCORD_SHARD_COUNT: missing (DISCORD_SHARD_IDS is set; both are needed)")
        words = [word.strip() for word in written.split(",")]
        ids = [int(word) for word in words if word.isascii() and word.isdigit()]
        if len(ids) < len(words) or len(set(ids)) < len(ids) or max(ids) >= count:
            raise SettingsError(f"DISCORD_SHARD_IDS: must be different numbers from 0 to {count - 1}, such as 0,1")
        return cls(ids, count)

    @property
    def share(self) -> float:
        """This process's share of the bot's shards, and so of its rate limit."""
        return 1.0 if self.ids is None or self.count is None else len(self.ids) / self.count

    def options(self) -> dict[str, Any]:
        """The shards as discord.py's arguments."""
        return {} if self.ids is None else {"shard_ids": self.ids, "shard_count": self.count}


class Client(discord.AutoShardedClient):
    """A connection's client. Caches only channels and roles, which determine a place's audience."""

    def __init__(self, intake: Intake, shards: Shards, rates: Rates, *, message_content: bool = False) -> None:
        # The default intents, which need no approval, without those whose events aren't used here.
        intents = discord.Intents.default()
        intents.typing = intents.reactions = intents.voice_states = intents.invites = False
        intents.message_content = message_content
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # no voice here
        super().__init__(
            intents=intents,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            max_messages=None,
            allowed_mentions=discord.AllowedMentions.none(),
            connector=Connector(limit=0, max_response=MAX_FILE),
            http_trace=rates.trace(),
            max_ratelimit_timeout=LONGEST_LIMIT,
            **shards.options(),
        )
        self._intake = intake
        self._launched: set[int] = set()
        self.tree: app_commands.CommandTree[discord.AutoShardedClient] = app_commands.CommandTree(self)
        add_commands(self.tree, intake.interactions)

    async def launch_shards(self) -> None:
        """Connect the shards. If their number is set, discord.py wouldn't ask REST for the gateway's address."""
        if self.shard_count is not None:
            _, address, _ = await self.http.get_bot_gateway()
            DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(address)
        await super().launch_shards()

    async def launch_shard(self, gateway: yarl.URL, shard_id: int, *, initial: bool = False) -> None:
        """Connect a shard to the gateway that REST named.

        On its own, discord.py retries here every 5 s forever; its second attempt is left to the supervisor. Later, for
        a session that can't be resumed, it would use its built-in address instead of REST's.
        """
        if shard_id in self._launched:
            raise ConnectionError("the gateway can't be reached")
        self._launched.add(shard_id)
        DiscordWebSocket.DEFAULT_GATEWAY = gateway
        await super().launch_shard(gateway, shard_id, initial=initial)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """discord.py itself replaces sessions that Discord invalidates, every few seconds if need be: spare them."""
        if not initial:
            await self.spare_sessions()
        await super().before_identify_hook(shard_id, initial=initial)

    async def spare_sessions(self) -> None:
        """Wait for the limit on new sessions to reset if few are left."""
        limits = await self.fetch_session_start_limits()
        if limits.remaining < SPARE_SESSIONS:
            log.warning(
                "discord: %d gateway sessions left; waiting %d s for the limit to reset",
                limits.remaining,
                limits.reset_after // 1000,
            )
            await asyncio.sleep(limits.reset_after / 1000)

    async def on_shard_connect(self, shard_id: int) -> None:
        await self._intake.connected(self, shard_id)

    async def on_guild_available(self, guild: discord.Guild) -> None:
        self._intake.catch_up.note_guilds(self, guild.shard_id)
        await self._intake.joined(guild.id)

    async def on_shard_ready(self, shard_id: int) -> None:
        self._intake.catch_up.note_guilds(self, shard_id, ready=True)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        await self._intake.joined(guild.id)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        await self._intake.removed(guild.id)

    async def on_message(self, message: discord.Message) -> None:
        if self.user:
            await self._intake.message(message, self.user.id)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        if self.user:
            await self._intake.edited(payload.message, self.user.id)

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        await self._intake.deleted(payload.channel_id, {payload.message_id})

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        await self._intake.deleted(payload.channel_id, payload.message_ids)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        await self._intake.interactions.used(interaction)

    async def on_error(self, event_method: str, /, *args: object, **kwargs: object) -> None:
        """Log an error in one of the handlers above, without the event."""
        log.exception("discord: %s failed", event_method)
