"""Discord by discord.py: the gateway's supervision, and messages, commands and buttons handed to the core."""

import asyncio
import logging
import random
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from adapters.discord_reply import TROUBLE, Pace, Reply
from adapters.discord_text import to_event
from adapters.discord_views import Interactions, add_commands
from bot.config import Settings, SettingsError
from bot.ports import Core

log = logging.getLogger(__name__)

#: Seconds: between two tries to connect at most; for what is in flight at the stop; for the farewell after that.
LONGEST_WAIT = 60.0
STOP_SECONDS = 20.0
CLOSE_SECONDS = 3.0
#: A connection that held for so long (seconds) is a good one: the next loss starts from the shortest wait again.
HELD_SECONDS = 120.0
#: Below so many IDENTIFYs left of the day's 1,000, reconnecting waits for new ones: the last would reset the token.
SPARE_SESSIONS = 50

REFUSED = "DISCORD_TOKEN: Discord refuses it; copy the bot's token anew from the developer portal"
INTENTS = "DISCORD_TOKEN: Discord refuses this bot the gateway intents it asks for; check them in the developer portal"

#: Close codes of the gateway that no further try mends: authentication failed, invalid and disallowed intents.
_FATAL = {4004: REFUSED, 4013: INTENTS, 4014: INTENTS}


class DiscordAdapter:
    """The platform Discord (`bot.ports.Adapter`).

    Attributes:
        ready: Set once the gateway has first accepted the session.
    """

    name = "discord"

    def __init__(self, settings: Settings, core: Core, *, pace: Pace | None = None, first_wait: float = 1.0) -> None:
        """`first_wait` is the shortest wait between two tries to connect, in seconds.

        Raises SettingsError where DISCORD_TOKEN is missing or no token at all.
        """
        if settings.discord_token is None:
            raise SettingsError("DISCORD_TOKEN: missing")
        # The one place where discord.py learns its addresses: REST here; the gateway's is asked of REST.
        Route.BASE = settings.discord_api_base
        self._token = settings.discord_token.get_secret_value().strip()
        if not (self._token.isascii() and self._token.isprintable() and " " not in self._token):
            raise SettingsError(REFUSED)  # no HTTP header can hold it
        self._core = core
        self._pace = pace or Pace()
        self._first_wait = first_wait
        self._client: _Client | None = None
        self._online = asyncio.Event()
        self._session: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopping = asyncio.Event()
        self._synced = False
        self.ready = asyncio.Event()
        self.interactions = Interactions(core, self.intake)

    async def run(self) -> None:
        """Stay connected until stopped.

        Whatever ends a connection is logged and followed by another try, after a growing and jittered wait; only a
        token or intents that Discord refuses raise SettingsError.
        """
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._stopping.is_set():
            begun = loop.time()
            self._session = asyncio.create_task(self._connect(failures))
            try:
                await self._session
                reason = "closed"
            except asyncio.CancelledError:
                if not self._stopping.is_set():
                    raise
                return
            except SettingsError:
                raise
            except Exception as exc:  # the supervisor's boundary: discord.py lets any error of a frame through
                reason = type(exc).__name__
                if not isinstance(exc, TROUBLE):
                    log.warning("discord: the connection broke", exc_info=True)
            if self._stopping.is_set():
                return
            failures = 1 if loop.time() - begun > HELD_SECONDS else failures + 1
            wait = min(LONGEST_WAIT, self._first_wait * 2 ** min(failures - 1, 16)) * random.uniform(0.5, 1)
            log.warning("discord: the connection is lost (%s); trying again in %.1f s", reason, wait)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)

    async def stop(self) -> None:
        """Take in nothing new, let answers under way finish (20 s at most), then disconnect."""
        self._stopping.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            if late:
                log.warning("discord: %d still unanswered at the stop", len(late))
                await asyncio.wait(late, timeout=CLOSE_SECONDS)
        if self._session:
            if self._client:
                await self._close(self._client)
            self._session.cancel()
            await asyncio.wait([self._session])

    async def online(self) -> discord.Client:
        """A client that is logged in; waits for one during a reconnect."""
        while True:
            await self._online.wait()
            if self._client and not self._client.is_closed():
                return self._client
            self._online.clear()

    async def _connect(self, failures: int) -> None:
        """One connection, from login to loss. Raises SettingsError where Discord refuses token or intents."""
        client = self._client = _Client(self)
        try:
            await client.login(self._token)
            self._online.set()
            if failures:
                await self._spare_sessions(client)
            # What discord.py can't RESUME it hands back: its own back-off grows to a quarter of an hour.
            await client.connect(reconnect=False)
        except discord.LoginFailure as exc:
            raise SettingsError(REFUSED) from exc
        except discord.PrivilegedIntentsRequired as exc:
            raise SettingsError(INTENTS) from exc
        except discord.ConnectionClosed as exc:
            if exc.code in _FATAL:
                raise SettingsError(_FATAL[exc.code]) from exc
            raise
        finally:
            self._online.clear()
            await self._close(client)

    async def _spare_sessions(self, client: discord.AutoShardedClient) -> None:
        limits = await client.fetch_session_start_limits()
        if limits.remaining < SPARE_SESSIONS:
            log.warning(
                "discord: %d sessions left; waiting %d s for more", limits.remaining, limits.reset_after // 1000
            )
            await asyncio.sleep(limits.reset_after / 1000)

    async def _close(self, client: discord.AutoShardedClient) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await client.close()
        except TROUBLE as exc:
            log.warning("discord: closing failed: %s", type(exc).__name__)

    async def intake(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what `stop` must wait for, in the task that discord.py made for it; nothing more once stopping."""
        task = asyncio.current_task()
        if self._stopping.is_set() or task is None:
            work.close()
            return
        self._tasks.add(task)
        try:
            await work
        finally:
            self._tasks.discard(task)

    async def on_connect(self, client: "_Client") -> None:
        """The gateway has accepted the session (READY); guilds are still coming in."""
        log.info("discord: listening as %s in %d guilds", client.user, len(client.guilds))
        self.ready.set()
        if not self._synced:
            self._synced = True
            await self._sync(client)

    async def _sync(self, client: "_Client") -> None:
        try:
            await client.tree.sync()
        except TROUBLE as exc:
            self._synced = False
            log.warning("discord: the commands aren't registered: %s", type(exc).__name__)

    async def on_message(self, message: discord.Message, me: int) -> None:
        """Hand a message that is meant for the bot to the core."""
        event = to_event(message, me)
        if event is not None:
            reply = Reply(self.online, message.channel.id, message.id, self._pace)
            await self.intake(self._core.on_message(event, reply))


class _Client(discord.AutoShardedClient):
    """One connection's client: no caches but channels and roles, which tell a place's audience."""

    def __init__(self, adapter: DiscordAdapter) -> None:
        # The default intents, which need no approval, less those whose events nobody here reads.
        intents = discord.Intents.default()
        intents.typing = intents.reactions = intents.voice_states = intents.invites = False
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # no voice here: nothing to warn of
        super().__init__(
            intents=intents,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            max_messages=None,
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self._adapter = adapter
        self._launched: set[int] = set()
        self.tree: app_commands.CommandTree[discord.AutoShardedClient] = app_commands.CommandTree(self)
        add_commands(self.tree, adapter.interactions)

    async def launch_shard(self, gateway: yarl.URL, shard_id: int, *, initial: bool = False) -> None:
        """Connect a shard to the gateway that REST named.

        discord.py keeps trying here by itself, every 5 s and for ever; its second try is handed to the supervisor.
        Once connected it would take its built-in address for a session that can't be resumed, not REST's.
        """
        if shard_id in self._launched:
            raise ConnectionError("the gateway can't be reached")
        self._launched.add(shard_id)
        DiscordWebSocket.DEFAULT_GATEWAY = gateway
        await super().launch_shard(gateway, shard_id, initial=initial)

    async def on_connect(self) -> None:
        await self._adapter.on_connect(self)

    async def on_message(self, message: discord.Message) -> None:
        if self.user:
            await self._adapter.on_message(message, self.user.id)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        await self._adapter.interactions.press(interaction)

    async def on_error(self, event_method: str, /, *args: object, **kwargs: object) -> None:
        """An error in a handler above: it is logged with its place, without the event."""
        log.exception("discord: %s failed", event_method)
