"""Slack, on Bolt: over Socket Mode, or over HTTP with signed requests."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.errors import SlackApiError

from adapters.slack.allow_list import CHANNELS
from adapters.slack.api import SlackApi
from adapters.slack.app import listening_app, sdk_logger
from adapters.slack.catch_up import GIVEN_UP, CatchUp
from adapters.slack.directory import Directory
from adapters.slack.errors import REFUSED, SLACK_ERRORS, code
from adapters.slack.http import serving
from adapters.slack.intake import Intake
from adapters.slack.interactions import Interactions
from adapters.slack.socket import HEARTBEAT, RECONNECT, Envelope, Socket
from bot.aio.backoff import Pauses
from bot.aio.tasks import TaskSet
from bot.config import Settings, SettingsError
from bot.events import MessageEvent
from bot.network import MAX_FILE, Connector
from bot.ports import Core, ReplyHandle

log = logging.getLogger(__name__)

#: Seconds that answers in progress get when the bot stops.
GRACE = 20.0
#: Seconds for removing working signs when the bot stops.
REMOVALS = 5.0


class SlackAdapter:
    """Slack as a platform (`bot.ports.Adapter`). `ready` is set once messages can arrive."""

    name = "slack"

    def __init__(
        self, settings: Settings, core: Core, *, heartbeat: float = HEARTBEAT, given_up: float = GIVEN_UP
    ) -> None:
        """`heartbeat` and `given_up` are in seconds, see HEARTBEAT and GIVEN_UP.

        Raises SettingsError if SLACK_CHANNELS isn't a list of ids.
        """
        self._settings = settings
        self._core = core
        self._heartbeat = heartbeat
        self._given_up = given_up
        self._channels = CHANNELS.listed(settings)
        self._stopping = asyncio.Event()
        self._done = asyncio.Event()
        self._running = False
        self._tasks: TaskSet[None] = TaskSet()
        self._api: SlackApi
        self._directory: Directory
        self._intake: Intake
        self._interactions: Interactions
        self._catch_up: CatchUp
        self.ready = asyncio.Event()

    def reply_handle(self, event: MessageEvent) -> ReplyHandle:
        """The reply handle of a message that an earlier process or attempt left unanswered; once `ready` is set."""
        return self._intake.reply_handle(event, unsure=True)

    async def renewed(self, event: MessageEvent) -> MessageEvent:
        """An event that is retried, with its place's present audience."""
        return await self._intake.renewed(event)

    async def run(self) -> None:
        """Connect, and hand events to the core until stopped. Raises SettingsError if Slack refuses a token."""
        token = self._settings.slack_bot_token
        if token is None:
            raise SettingsError("SLACK_BOT_TOKEN: missing")
        self._running = True
        connector = Connector(limit=0, keepalive_timeout=30, max_response=MAX_FILE)
        timeout = aiohttp.ClientTimeout(total=30, sock_connect=10)
        try:
            async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
                base_url = f"{self._settings.slack_api_base}/"
                self._api = SlackApi.open(http, base_url, token.get_secret_value(), sdk_logger("slack_sdk.web"))
                await self._supervise()
                await self._finish()
        finally:
            self._running = False
            self._done.set()

    async def stop(self) -> None:
        """Accept nothing new, let answers in progress finish (20 s at most), then disconnect."""
        self._stopping.set()
        if self._running:
            await self._done.wait()

    async def _supervise(self) -> None:
        """Serve until stopped, restarting after unexpected errors."""
        pauses = Pauses(RECONNECT)
        while not self._stopping.is_set():
            try:
                await self._until_stopped(self._serve())
                return
            except SettingsError as exc:
                if not self.ready.is_set():
                    raise
                log.error("slack: token rejected after it had worked: %s", exc)
            except Exception:  # the supervisor's boundary: Slack's failure must not stop other platforms
                log.warning("slack: connection failed", exc_info=True)
            await self._until_stopped(pauses.wait())

    async def _until_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        serving = asyncio.create_task(work)
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
        finally:
            serving.cancel()
            stopping.cancel()
            await asyncio.gather(serving, stopping, return_exceptions=True)

    async def _finish(self) -> None:
        if self.ready.is_set():
            await self._intake.close()
        if self._tasks:
            log.info("slack: waiting for %d answers in flight", len(self._tasks))
            if late := await self._tasks.finish(GRACE):
                log.error("slack: %d answers unfinished after %d s; they resume at the next start", late, int(GRACE))
        await self._api.removals.finish(REMOVALS)
        if self.ready.is_set():
            await self._directory.close()

    # -- connecting

    async def _serve(self) -> None:
        await self._identify()
        about = self._settings, self._api, self._me
        app = listening_app(*about, self._intake, self._interactions, self._spawn, self._catch_up.refused)
        app_token, secret = self._settings.slack_app_token, self._settings.slack_signing_secret
        catching_up = asyncio.create_task(self._catch_up.run())
        try:
            if app_token is not None:
                await self._serve_socket(app, app_token.get_secret_value())
            elif secret is not None:
                await self._serve_http(app, secret.get_secret_value())
            else:
                raise SettingsError("SLACK_APP_TOKEN: missing (Slack needs it, or SLACK_SIGNING_SECRET for HTTP)")
        finally:
            catching_up.cancel()
            await asyncio.gather(catching_up, return_exceptions=True)

    async def _identify(self) -> None:
        me = await self._checked(self._api.edits.auth_test, "SLACK_BOT_TOKEN")
        self._me = {
            field: str(me.get(field) or "") for field in ("user_id", "bot_id", "user", "team_id", "team", "url")
        }
        # An organisation's token may name no workspace.
        self._me["team_id"] = self._me["team_id"] or str(me.get("enterprise_id") or "")
        self._api.bot_user, self._api.team = self._me["user_id"], self._me["team_id"]
        self._api.bot_name = self._me["user"]
        me = self._me["user_id"], self._me["bot_id"], self._me["team_id"]
        self._directory = Directory(self._api.reads, *me, self._settings.zone)
        self._interactions = Interactions(self._core, self._api, self._directory)
        self._intake = Intake(self._core, self._api, self._directory, self._interactions, self._me["url"], self._spawn)
        hours = self._settings.bot_catch_up_hours
        parts = self._core, self._api.in_background(), self._directory, self._intake, self._spawn
        self._catch_up = CatchUp(*parts, hours, self._given_up, self._channels)
        await self._core.changes.on_returned("slack", self._me["team_id"])

    @staticmethod
    async def _checked(call: Callable[[], Awaitable[Any]], variable: str) -> Any:
        """Make a call, retrying as long as Slack is unreachable. Raises SettingsError if it refuses the token."""
        pauses = Pauses(RECONNECT)
        while True:
            try:
                return await call()
            except SLACK_ERRORS as exc:
                if isinstance(exc, SlackApiError) and code(exc) in REFUSED:
                    raise SettingsError(f"{variable}: Slack refuses it ({code(exc)})") from None
                if code(exc) == "HTTP 404" or isinstance(exc, aiohttp.InvalidURL):
                    raise SettingsError("SLACK_API_BASE: there is no Slack at that address") from None
                log.warning("slack: Slack could not be reached, retrying: %s", code(exc))
            except ValueError:
                raise SettingsError(f"{variable}: not a token (it holds a character that none has)") from None
            await pauses.wait()

    async def _serve_socket(self, app: AsyncApp, app_token: str) -> None:
        async def open_url() -> str:
            return str((await self._api.edits.apps_connections_open(app_token=app_token))["url"])

        async def handle(envelope: Envelope) -> Envelope | None:
            acknowledgement: Envelope = {"envelope_id": envelope["envelope_id"]}
            payload = envelope.get("payload")
            if not isinstance(payload, dict):
                return acknowledgement
            response = await app.async_dispatch(AsyncBoltRequest(mode="socket_mode", body=payload))
            if response.status != 200:
                log.warning("slack: envelope not acknowledged (HTTP %d)", response.status)
                return None
            if response.body:
                acknowledgement["payload"] = json.loads(response.body)
            return acknowledgement

        url = await self._checked(open_url, "SLACK_APP_TOKEN")
        socket = Socket(self._api.http, open_url, handle, self._catch_up, heartbeat=self._heartbeat)
        connection = asyncio.create_task(socket.run(url))
        greeted = asyncio.create_task(socket.greeted.wait())
        try:
            await asyncio.wait({connection, greeted}, return_when=asyncio.FIRST_COMPLETED)
            self._listening()
            await connection
        finally:
            connection.cancel()
            greeted.cancel()
            await asyncio.gather(connection, greeted, return_exceptions=True)

    async def _serve_http(self, app: AsyncApp, secret: str) -> None:
        await self._catch_up.note()
        async with serving(app, secret, self._settings.port):
            self._listening()
            self._catch_up.begin()
            await asyncio.Event().wait()

    def _listening(self) -> None:
        log.info("slack: listening as %s in %s", self._me["user"], self._me["team"])
        self.ready.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.spawn(self._guarded(work))

    @staticmethod
    async def _guarded(work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as exc:  # noqa: BLE001 - the event boundary: one event's failure affects no other
            log.error("slack: handling an event failed: %s", type(exc).__name__)
