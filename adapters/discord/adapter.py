"""Discord, by discord.py: supervises the gateway connection, and hands messages, commands and buttons to the core."""

import asyncio
import logging
from contextlib import suppress

import discord
from discord.http import Route

from adapters.discord.allow_list import GUILDS
from adapters.discord.client import Client, Shards
from adapters.discord.intake import CLOSE_SECONDS, Intake
from adapters.discord.messages import DISCORD_ERRORS, Pace
from adapters.discord.rates import Rates
from adapters.discord.reply import Reply
from adapters.discord.zone import ZonedCore
from bot.aio.backoff import Backoff
from bot.config import Settings, SettingsError
from bot.events import MessageEvent
from bot.ports import Core

log = logging.getLogger(__name__)

#: Seconds between two connection attempts at most; with jitter, a minute.
LONGEST_WAIT = 40.0
#: Seconds after which a connection counts as good: the next loss starts with the shortest wait again.
HELD_SECONDS = 120.0

REFUSED = "DISCORD_TOKEN: Discord refuses it; copy the bot's token anew from the developer portal"
INTENTS = "DISCORD_TOKEN: Discord refuses this bot the gateway intents it asks for; check them in the developer portal"
CONTENT = (
    "DISCORD_MESSAGE_CONTENT: Discord refuses the message content intent; switch Message Content Intent on at "
    "discord.com/developers, Bot, or unset this"
)

#: Gateway close codes that no retry fixes: authentication failed, invalid intents.
_FATAL = {4004: REFUSED, 4013: INTENTS}
#: Disallowed intents. Only one that the bot asks for can be: message content.
_DISALLOWED = 4014


class DiscordAdapter:
    """The platform Discord (`bot.ports.Adapter`).

    Attributes:
        ready: Set once the gateway has first accepted the session.
    """

    name = "discord"

    def __init__(self, settings: Settings, core: Core, *, pace: Pace | None = None, first_wait: float = 1.0) -> None:
        """`first_wait` is the shortest wait between two connection attempts, in seconds.

        Raises SettingsError if DISCORD_TOKEN is missing or can't be a token, the shard settings are invalid, or
        DISCORD_GUILDS isn't a list of ids.
        """
        if settings.discord_token is None:
            raise SettingsError("DISCORD_TOKEN: missing")
        # The only address that discord.py is given: REST's, which tells it the gateway's.
        Route.BASE = settings.discord_api_base
        self._token = settings.discord_token.get_secret_value().strip()
        if not (self._token.isascii() and self._token.isprintable() and " " not in self._token):
            raise SettingsError(REFUSED)  # not valid in an HTTP header
        self._shards = Shards.of(settings)
        self._message_content = settings.discord_message_content
        self._backoff = Backoff(first_wait, LONGEST_WAIT)
        self._client: Client | None = None
        self._online = asyncio.Event()
        self._session: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        pace = pace or Pace()
        # Processes that share the shards also share the rate limit.
        self._rates = Rates(settings.discord_requests_per_second * self._shards.share, pace.channel)
        guilds = GUILDS.listed(settings)
        self._intake = Intake(
            ZonedCore(core, settings.zone),
            self.online,
            pace,
            settings.bot_catch_up_hours,
            self._rates,
            guilds,
            readable=self._message_content,
        )
        self.ready = self._intake.ready

    def reply_handle(self, event: MessageEvent) -> Reply:
        """The reply handle of a message that an earlier process or attempt left unanswered."""
        return self._intake.reply(event, again=True)

    async def renewed(self, event: MessageEvent) -> MessageEvent:
        """An event that is retried, with its place's present audience."""
        return await self._intake.renewed(event)

    async def run(self) -> None:
        """Stay connected until stopped.

        Whatever ends a connection is logged and followed by another attempt, with back-off. Raises SettingsError only
        if Discord refuses token or intents at startup. If they have worked before, it retries, so that the other
        platform keeps running.
        """
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._stopping.is_set():
            started = loop.time()
            self._session = asyncio.create_task(self._connect(failures))
            try:
                await self._session
                reason = "closed"
            except asyncio.CancelledError:
                if not self._stopping.is_set():
                    raise
                return
            except SettingsError as exc:
                if not self.ready.is_set():
                    raise
                reason = "refused"
                log.error("discord: connection refused after it had worked: %s", exc)
            except Exception as exc:  # the supervisor's boundary: discord.py lets any error in a frame through
                reason = type(exc).__name__
                if not isinstance(exc, DISCORD_ERRORS):
                    log.warning("discord: connection failed", exc_info=True)
            if self._stopping.is_set():
                return
            failures = 1 if loop.time() - started > HELD_SECONDS else failures + 1
            wait = self._backoff.jittered(failures)
            log.warning("discord: connection lost (%s), reconnecting in %.1f s", reason, wait)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)

    async def stop(self) -> None:
        """Accept nothing new, let answers in progress finish (20 s at most), then disconnect."""
        self._stopping.set()
        await self._intake.stop()
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
        """One connection, from login to loss. Raises SettingsError if Discord refuses token or intents."""
        client = self._client = Client(self._intake, self._shards, self._rates, message_content=self._message_content)
        try:
            await client.login(self._token)
            self._online.set()
            if failures:
                await client.spare_sessions()
            # We reconnect ourselves if discord.py can't RESUME: its back-off grows to a quarter of an hour.
            await client.connect(reconnect=False)
        except discord.LoginFailure as exc:
            raise SettingsError(REFUSED) from exc
        except discord.PrivilegedIntentsRequired as exc:
            raise SettingsError(self._disallowed) from exc
        except discord.ConnectionClosed as exc:
            if exc.code in _FATAL:
                raise SettingsError(_FATAL[exc.code]) from exc
            if exc.code == _DISALLOWED:
                raise SettingsError(self._disallowed) from exc
            raise
        finally:
            self._online.clear()
            await self._close(client)

    @property
    def _disallowed(self) -> str:
        return CONTENT if self._message_content else INTENTS

    async def _close(self, client: discord.AutoShardedClient) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await client.close()
        except DISCORD_ERRORS as exc:
            log.warning("discord: disconnecting failed: %s", type(exc).__name__)
