"""Slack over HTTP: what strangers send to the port costs next to nothing, and Slack is heard meanwhile."""

import asyncio
import hashlib
import hmac
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest

from adapters.slack import connection_limits
from adapters.slack import http as slack_http
from adapters.slack.adapter import SlackAdapter
from adapters.slack.connection_limits import MAX_BODY, MAX_CONNECTIONS, MAX_UNSIGNED
from bot.config import SettingsError
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import FakeSlack

ANN = "U0ANN"
_NONE: Mapping[str, str] = {}


class Port:
    """The bot's HTTP port, and what a stranger or Slack does at it."""

    def __init__(self, slack: FakeSlack, core: ScriptedCore, number: int) -> None:
        self.slack = slack
        self.core = core
        self.number = number
        self.url = f"http://127.0.0.1:{number}/slack/events"
        self.readers: list[asyncio.StreamReader] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection on which nothing has been sent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.number)
        self.readers.append(reader)
        self.writers.append(writer)
        return reader, writer

    async def say(self, raw: bytes, seconds: float = 10) -> bytes:
        """What the port answers to these bytes until it hangs up."""
        reader, writer = await self.connect()
        writer.write(raw)
        try:
            async with asyncio.timeout(seconds):
                return await reader.read()
        except ConnectionError:
            return b""

    def request(self, body: bytes, *, secret: str = "", age: int = 0, headers: Mapping[str, str] = _NONE) -> bytes:
        """A request with its signature, by default Slack's own."""
        stamp = str(int(time.time()) - age)
        key = (secret or self.slack.signing_secret).encode()
        mac = hmac.new(key, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        lines = {
            "Host": "bot",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={mac}",
        } | dict(headers)
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
        return f"POST /slack/events HTTP/1.1\r\n{head}\r\n".encode() + body

    async def hears(self, text: str) -> None:
        """Ann says it, and it is answered."""
        await self.slack.dm(ANN, text)
        channel = self.slack.dm_channel(ANN)
        await self.slack.wait(
            lambda: any(message["text"] == f"You said: {text}" for message in self.slack.answers(channel))
        )

    async def close(self) -> None:
        """Hang up all connections."""
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def port(**changed: object) -> AsyncIterator[Port]:
    """A bot that listens to Slack over HTTP."""
    async with FakeSlack() as slack:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            number = free.getsockname()[1]
        core = ScriptedCore()
        http = {"slack_app_token": None, "slack_signing_secret": slack.signing_secret, "port": number} | changed
        async with running(SlackAdapter(settings(slack, **http), core)):
            opened = Port(slack, core, number)
            slack.events_url = opened.url
            yield opened
            await opened.close()


def status(answer: bytes) -> int:
    """The status code of an answer."""
    return int(answer.split(b" ", 2)[1]) if answer else 0


@asynccontextmanager
async def attentive(longest: float = 1.0) -> AsyncIterator[None]:
    """The loop is never deaf for long meanwhile (what is tried here made it so for 16 s and more)."""
    gaps = []

    async def tick() -> None:
        before = time.perf_counter()
        while True:
            await asyncio.sleep(0.01)
            now = time.perf_counter()
            gaps.append(now - before)
            before = now

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.02)
    try:
        yield
        await asyncio.sleep(0.02)
    finally:
        ticking.cancel()
    assert max(gaps) < longest


@pytest.mark.parametrize("signed", [True, False])
async def test_charset(signed: bool) -> None:
    """The charset that a stranger names is no reason to decode anything by it."""
    async with port() as bot, attentive():
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=punycode"}
        if not signed:
            headers |= {"X-Slack-Signature": "", "X-Slack-Request-Timestamp": ""}
        raw = bot.request(b"a" * 400_000 + b"-" + b"b" * 100_000, secret="stranger", headers=headers)
        assert status(await bot.say(raw, 60)) == 401
        await bot.hears("hi")


async def test_many_fields() -> None:
    """A form of very many fields isn't taken apart before its signature is known."""
    async with port() as bot, attentive(0.5):
        raw = bot.request(b"&".join([b"a=b"] * 700_000), secret="stranger", headers={"Content-Type": ""})
        assert status(await bot.say(raw)) == 401
        await bot.hears("hi")


async def test_silent_connections() -> None:
    """However many connections say nothing, Slack finds a place, and the process has files left to open."""
    async with port() as bot:
        for _ in range(11):
            await asyncio.gather(*(bot.connect() for _ in range(100)))
        await bot.hears("hi")
        await asyncio.sleep(0.2)
        assert sum(not reader.at_eof() and reader.exception() is None for reader in bot.readers) <= MAX_CONNECTIONS // 2


async def test_slow_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who doesn't bring a request's headers to an end is hung up on, however busy they seem."""
    monkeypatch.setattr(connection_limits, "HEADER_SECONDS", 0.5)
    async with port() as bot:
        reader, writer = await bot.connect()
        writer.write(b"POST /slack/events HTTP/1.1\r\nX: ")
        async with asyncio.timeout(10):
            with suppress(ConnectionError):
                while not reader.at_eof():
                    writer.write(b"x")
                    with suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(1), 0.05)
        await bot.hears("hi")


async def test_bodies_without_end() -> None:
    """Bodies that are cut before their end are held up to a bound in all, and Slack is heard meanwhile."""
    async with port() as bot:
        size = 2 * 2**20
        whole = bot.request(b"x" * size, secret="stranger")

        async def cut() -> bool:
            reader, writer = await bot.connect()
            writer.write(whole[:-10])
            try:
                await writer.drain()
                await asyncio.wait_for(reader.read(1), 3)
            except (TimeoutError, ConnectionError) as exc:
                return isinstance(exc, TimeoutError)
            return False

        attack = asyncio.gather(*(cut() for _ in range(100)))
        await asyncio.sleep(0.5)
        await bot.hears("hi")
        assert sum(await attack) <= MAX_UNSIGNED // size
        await bot.hears("again")


@pytest.mark.slow
async def test_body_that_never_comes() -> None:
    """A body that doesn't arrive in time ends in a 408."""
    async with port() as bot:
        assert status(await bot.say(bot.request(b"x" * 1000)[:-1], 10)) == 408


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"POST /slack/events HTTP/1.1\r\nHost: bot\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 400),
        (b"POST /slack/events HTTP/1.1\r\nHost: bot\r\n" + b"X: x\r\n" * 1000 + b"\r\n", 400),
        (b"POST /slack/events HTTP/1.1\r\nHost: bot\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /slack/events HTTP/1.1\r\nHost: bot\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /slack/events HTTP/1.1\r\nHost: bot\r\nContent-Length: 2\r\n\r\n{}", 401),
        (b"POST /slack/events HTTP/1.1\r\nHost: bot\r\nContent-Length: 5000\r\n\r\n", 401),
        (b"POST / HTTP/1.1\r\nHost: bot\r\nContent-Length: 2\r\n\r\n{}", 404),
        (b"GET /.env HTTP/1.1\r\nHost: bot\r\n\r\n", 404),
        (b"GET /slack/events HTTP/1.1\r\nHost: bot\r\n\r\n", 405),
        (b"GET /slack/events?ssl_check=1 HTTP/1.1\r\nHost: bot\r\n\r\n", 200),
        (b"POST /slack/events HTTP/1.1\r\nHost: bot\r\nContent-Length: 19\r\n\r\nssl_check=1&token=a", 200),
    ],
)
async def test_malformed(raw: bytes, expected: int, caplog: pytest.LogCaptureFixture) -> None:
    """What is no request of Slack's gets a 4xx, and no line in the log; the check of the certificate is answered."""
    async with port() as bot:
        caplog.set_level(logging.INFO)
        caplog.clear()
        assert status(await bot.say(raw)) == expected
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
        await bot.hears("hi")


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b'{"type":"url_verification","challenge":"abc","token":"t"}', {}, 200),
        (b"\xff\xfe", {}, 400),
        (b"{", {}, 400),
        (b"[" * 100_000, {}, 400),
        (b"[]", {}, 400),
        (b"null", {}, 400),
        (b"payload=%7B", {"Content-Type": "application/x-www-form-urlencoded"}, 400),
        (b"{}", {"Content-Encoding": "gzip"}, 415),
        (b"{}", {"Expect": "100-continue"}, 417),
        (b" " * (MAX_BODY + 1), {}, 413),
    ],
)
async def test_signed_oddities(
    body: bytes, headers: dict[str, str], expected: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A signed request that can't be read is refused without an error; the check of the address is answered."""
    async with port() as bot, attentive():
        caplog.set_level(logging.INFO)
        answer = await bot.say(bot.request(body, headers={"Connection": "close"} | headers))
        assert status(answer) == expected
        assert (b"abc" in answer) == (expected == 200)
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
        await bot.hears("hi")


async def test_gzipped() -> None:
    """A compressed body isn't unpacked, whatever it would become."""
    async with port() as bot, aiohttp.ClientSession() as http:
        async with http.post(bot.url, data=b"x" * 10**7, compress="gzip") as response:
            assert response.status == 415
        await bot.hears("hi")


async def test_replayed(caplog: pytest.LogCaptureFixture) -> None:
    """A request that Slack signed long ago is refused, and the log says what would explain it."""
    async with port() as bot:
        body = json.dumps({"type": "url_verification", "challenge": "abc"}).encode()
        assert status(await bot.say(bot.request(body, age=1000))) == 401
        assert "clock" in caplog.text


async def test_wrong_secret(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests signed with another secret are told of once, with the variable's name, and then counted."""
    async with port() as bot:
        for _ in range(5):
            assert status(await bot.say(bot.request(b"{}", secret="another"))) == 401
        lines = [record.getMessage() for record in caplog.records if "SLACK_SIGNING_SECRET" in record.getMessage()]
        assert len(lines) == 1
        assert "another" not in caplog.text
        monkeypatch.setattr(slack_http, "WARN_EVERY", 0)
        await bot.say(bot.request(b"{}", secret="another"))
        assert "slack: 5 requests refused" in caplog.text


async def test_kept_alive() -> None:
    """The connection of a signed request is kept for the next one; that of another isn't."""
    async with port() as bot:
        body = b'{"type":"url_verification","challenge":"abc"}'
        reader, writer = await bot.connect()
        for _ in range(3):
            writer.write(bot.request(body))
            async with asyncio.timeout(5):
                assert status(await reader.readuntil(b"abc")) == 200
        assert b"close" in (await bot.say(bot.request(body, secret="another"))).lower()


async def test_port_in_use() -> None:
    """A port that another program listens at ends the start with one line that says so."""
    async with FakeSlack() as slack:
        with socket.socket() as taken:
            taken.bind(("0.0.0.0", 0))
            taken.listen()
            number = taken.getsockname()[1]
            http = {"slack_app_token": None, "slack_signing_secret": slack.signing_secret, "port": number}
            with pytest.raises(SettingsError, match=f"PORT: {number} is in use already"):
                await asyncio.wait_for(SlackAdapter(settings(slack, **http), ScriptedCore()).run(), 10)
