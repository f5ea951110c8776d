"""A small Discord on 127.0.0.1: REST v10, gateway, interactions, and people who talk to the bot.

Payloads follow Discord's public documentation. Give `url` to a bot as DISCORD_API_BASE, in this process or another.
"""

from typing import Self

from aiohttp import web

from tests.fakes.discord_gateway import Gateway, Payload, until
from tests.fakes.discord_limits import Limits
from tests.fakes.discord_model import Channel, Guild, Interaction, User
from tests.fakes.discord_people import People
from tests.fakes.discord_rest import FAKE, ROUTES, guard

__all__ = ["Channel", "FakeDiscord", "Guild", "Interaction", "Limits", "User", "until"]

TOKEN = "fake-discord-token"


class FakeDiscord(People):
    """The server.

    Attributes:
        requests: (method, path, JSON body) of each REST request, in order.
        typing: Channel ids in which the bot showed typing, in order.
        commands: What the bot registered.
        rest_failures: Statuses to answer the next requests to channels with (0: as usual); 429 asks to wait 0.05 s.
        webhook_failures: The same for the next requests that show something of an interaction's answer.
        lost_answers: How many of the next messages sent are kept, and their sender is told of a failure (503).
        unreachable: While true, REST drops every connection.
        forbidden: Channel ids in which the bot may neither read the history nor write.
        unhistoried: Channel ids whose history the bot may not read: it is shown an empty one, and may not reply.
        archived, locked: Threads in which nothing can be edited or deleted; a message reopens an archived one.
        filters: Words that no message may contain, each with the status and code that refuse it.
        pages: Whether something in between answers requests to channels with a page of its own (403).
        closed: Names of people who take no direct messages of the bot's.
        refuses: Of "send", "reply", "edit", "delete", "typing", "callback", "edit original", "follow up",
            "edit follow up", "file" those that are refused, with status and code; 429 asks to wait 50 minutes.
        member_failures: Statuses to answer the next questions about a server's members with (0: as usual).
        limits: The rate limits that are kept, if any are.
        unlisted: Ids of messages that histories leave out.
        broken: Channel ids of which so many more requests to read are answered, and the others fail (503).
        slow_history: Seconds that a page of a history takes.
        reading, most_reading: How many pages are being read at the same time, now and at most.
        slow_typing, slow_messages: Seconds that a typing request, and sending a message, takes.
        takes_files: Whether files are taken.
        cdn_failures: Statuses to answer the next requests for files with (0: as usual).
        slow_files: Seconds that a file takes.
        fetched: Ids of the files that were asked for, in order.
    """

    def __init__(self, token: str = TOKEN) -> None:
        super().__init__()
        self.token = token
        self.gateway = Gateway(token, self.bot.id, self.hello)
        self.requests: list[tuple[str, str, Payload]] = []
        self.typing: list[str] = []
        self.commands: list[Payload] = []
        self.rest_failures: list[int] = []
        self.webhook_failures: list[int] = []
        self.lost_answers = 0
        self.unreachable = False
        self.forbidden: set[str] = set()
        self.unhistoried: set[str] = set()
        self.archived: set[str] = set()
        self.locked: set[str] = set()
        self.filters: dict[str, tuple[int, int]] = {}
        self.pages = False
        self.closed: set[str] = set()
        self.refuses: dict[str, tuple[int, int]] = {}
        self.member_failures: list[int] = []
        self.limits: Limits | None = None
        self.unlisted: set[str] = set()
        self.slow_history = 0.0
        self.reading = self.most_reading = 0
        self.broken: dict[str, int] = {}
        self.slow_typing = self.slow_messages = 0.0
        self.takes_files = True
        self.cdn_failures: list[int] = []
        self.slow_files = 0.0
        self.fetched: list[str] = []
        self.sessions_left = 1000
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, port: int = 0) -> Self:
        """Listen on 127.0.0.1; `url` is then the REST root."""
        app = web.Application(middlewares=[guard], client_max_size=2**26)
        fake: FakeDiscord = self
        app[FAKE] = fake
        app.add_routes(ROUTES)
        app.router.add_get("/gateway", self.gateway.handle)
        app.router.add_get("/gateway/", self.gateway.handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        host, bound = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{bound}/api/v10"
        self.gateway.url = f"ws://{host}:{bound}/gateway"
        return self

    async def stop(self) -> None:
        """Close every connection."""
        await self.gateway.drop()
        if self._runner:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
