"""The way out: by the operator's proxy and CA for every service, and no response is read without a bound."""

import gzip
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr
from slack_sdk.errors import SlackClientError

from adapters.slack.adapter import SlackAdapter
from adapters.slack.api import SlackApi
from adapters.slack.app import sdk_logger
from bot.app import PLATFORMS
from bot.chat.claude import ClaudeChat
from bot.config import Settings, SettingsError
from bot.doctor import examine
from bot.memory.hosted.client import HostedClient
from bot.model import Prompt
from bot.network import MAX_EVENT, MAX_RESPONSE, Connector, proxy_for, tls
from bot.ports import ChatError, MemoryUnavailable
from tests.adapters.core import StubCore
from tests.adapters.discord import support as discord_support
from tests.adapters.slack import core as slack_core
from tests.fakes.claude import FakeClaude
from tests.fakes.discord import FakeDiscord
from tests.fakes.mem0 import KEY, FakeMem0
from tests.fakes.proxy import FakeProxy, certificate
from tests.fakes.slack import FakeSlack

ANN = "U0ANN"
HELLO = Prompt("Be kind.", (("user", "Hello"),))
NAMES = ("slack.test", "discord.test", "claude.test", "mem0.test")
VARIABLES = (
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own proxy and CAs are left out."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[call-arg] # pydantic-settings' own argument


# -- which proxy


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, "https://slack.com/api", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://slack.com/api", "http://p:1"),
        ({"https_proxy": "http://p:1"}, "wss://gateway.discord.gg/", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "http://mem0.corp/", None),
        ({"HTTP_PROXY": "p:1"}, "ws://mem0.corp/", "http://p:1"),
        ({"ALL_PROXY": "http://p:1"}, "https://slack.com/", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "slack.com"}, "https://api.slack.com/", None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "*"}, "https://slack.com/", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "other.com, 10.0.0.0/8"}, "https://10.1.2.3/", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "llm:8443"}, "https://llm:8443/", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "llm:8443"}, "https://llm/", "http://p:1"),
        ({"ALL_PROXY": "http://p:1"}, "http://localhost:8080/", None),
        ({"ALL_PROXY": "http://p:1"}, "http://127.0.0.2/", None),
        ({"ALL_PROXY": "http://p:1"}, "http://[::1]:8080/", None),
        ({"HTTPS_PROXY": ""}, "https://slack.com/", None),
    ],
)
def test_which_proxy(environment: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual variables decide, in either case, for WebSockets too; never for this machine itself."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = proxy_for(url)
    assert (str(found).rstrip("/") if found else None) == proxy


@pytest.mark.parametrize("written", ["socks5://user:secret@p:1080", "http://", "nonsense://x"])
def test_unusable_proxy(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that can't be used is named by its variable, and its value isn't shown."""
    monkeypatch.setenv("HTTPS_PROXY", written)
    with pytest.raises(SettingsError, match=r"^HTTPS_PROXY: ") as raised:
        proxy_for("https://slack.com/")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
def test_unreadable_certificates(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A CA that can't be read is named by its variable."""
    monkeypatch.setenv(name, str(tmp_path / "missing"))
    with pytest.raises(SettingsError, match=rf"^{name}: "):
        tls()


# -- by the proxy


async def _slack(proxy: FakeProxy, known: Callable[..., Awaitable[str]]) -> None:
    async with FakeSlack() as slack:
        slack.url = await known("slack.test", slack.url)
        slack.api_base = f"{slack.url}/api"
        async with slack_core.running(SlackAdapter(slack_core.settings(slack), slack_core.ScriptedCore())):
            await slack.dm(ANN, "hi")
            assert await slack.answer(slack.dm_channel(ANN)) == "You said: hi"


async def _discord(proxy: FakeProxy, known: Callable[..., Awaitable[str]]) -> None:
    async with FakeDiscord() as discord:
        discord.url = await known("discord.test", discord.url)
        scheme = "wss" if discord.url.startswith("https") else "ws"
        discord.gateway.url = f"{scheme}://discord.test/gateway"
        core = StubCore()
        async with discord_support.running(discord, core):
            message = await discord.dm("Ann", "hi")
            assert await discord.answer_to(message) == "You said: hi"


async def _claude(proxy: FakeProxy, known: Callable[..., Awaitable[str]]) -> None:
    async with FakeClaude(lambda _: "Hello yourself") as claude:
        url = await known("claude.test", claude.url)
        chat = ClaudeChat(settings(anthropic_api_key=SecretStr("key"), anthropic_base_url=url))
        assert "Hello" in "".join([piece async for piece in chat.answer(HELLO) if isinstance(piece, str)])
        await chat.close()


async def _mem0(proxy: FakeProxy, known: Callable[..., Awaitable[str]]) -> None:
    async with FakeMem0() as mem0:
        client = await HostedClient.open(KEY, await known("mem0.test", mem0.url))
        assert mem0.pinged.is_set() or mem0.asked
        assert await client.get("00000000-0000-0000-0000-000000000000") is None
        await client.close()


async def _doctor(proxy: FakeProxy, known: Callable[..., Awaitable[str]]) -> None:
    async with FakeMem0() as mem0:
        url = await known("mem0.test", mem0.url)
        findings = await examine(
            settings(mem0_api_key=SecretStr(KEY), mem0_host=url, bot_data_dir=Path(os.devnull)), PLATFORMS
        )
        assert ("MEM0_API_KEY", True) in [(finding.name, finding.ok) for finding in findings]


@pytest.mark.parametrize("certified", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", ""])
@pytest.mark.parametrize("talk", [_slack, _discord, _claude, _mem0, _doctor])
async def test_by_the_proxy(
    talk: Callable[..., Awaitable[None]], certified: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each service is reached by the proxy alone (its name is nowhere known), with the operator's own CA."""
    async with FakeProxy() as proxy:
        address = proxy.url.replace("//", "//ann:secret@")
        monkeypatch.setenv("HTTPS_PROXY" if certified else "http_proxy", address)
        ca = None
        if certified:
            ca = certificate(tmp_path, *NAMES)
            monkeypatch.setenv(certified, str(ca))

        async def known(name: str, url: str) -> str:
            return await proxy.serve(name, url, ca)

        await talk(proxy, known)
        assert {line.split()[0] for line in proxy.asked} == {"CONNECT" if certified else proxy.asked[0].split()[0]}
        assert set(proxy.credentials) == {"Basic YW5uOnNlY3JldA=="}


# -- how much


@asynccontextmanager
async def flood(kind: str) -> AsyncIterator[str]:
    """A server that answers every request with far too much."""
    headers = {"Content-Type": "application/json"}
    zeros = b" " * 2**20
    packed = gzip.compress(b" " * (MAX_RESPONSE * 20))

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=headers)
        if kind == "bomb":
            response.headers["Content-Encoding"] = "gzip"
        if kind in ("line", "lines"):
            response.headers["Content-Type"] = "text/event-stream"
        await response.prepare(request)
        if kind == "bomb":
            await response.write(packed)
        try:
            for _ in range(0 if kind == "bomb" else 100):
                await response.write(b"data: {\n" * (2**20 // 8) if kind == "lines" else zeros)
        except ConnectionError:
            pass
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site.name.rpartition(':')[2]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("kind", ["whole", "bomb"])
async def test_too_much_for_aiohttp(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """A response of Slack's or Discord's that is too long, packed or not, is cut and told of."""
    async with flood(kind) as url, aiohttp.ClientSession(connector=Connector()) as http:
        wire = SlackApi.open(http, f"{url}/", "xoxb-1", sdk_logger("slack_sdk.web"))
        with pytest.raises((aiohttp.ClientError, SlackClientError)):
            await wire.edits.auth_test()
        assert f"response of 127.0.0.1 cut at {MAX_RESPONSE >> 20} MB" in caplog.text


@pytest.mark.parametrize("kind", ["whole", "bomb", "line", "lines"])
async def test_too_much_for_claude(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """A compatible server's endless line, event or packed answer ends in an error, told of in the log."""
    async with flood(kind) as url:
        chat = ClaudeChat(settings(anthropic_api_key=SecretStr("key"), anthropic_base_url=url))
        with pytest.raises(ChatError):
            async for _ in chat.answer(HELLO):
                pass
        await chat.close()
    assert ("compressed" if kind == "bomb" else f"an event is longer than {MAX_EVENT}") in caplog.text


@pytest.mark.parametrize("kind", ["whole", "bomb"])
async def test_too_much_for_mem0(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """A page of hosted mem0 that is too long is an outage, not a crash."""

    async def sleep(_: float) -> None:
        return

    async with flood(kind) as url:
        client = await HostedClient.open(KEY, url, sleep=sleep)
        with pytest.raises(MemoryUnavailable):
            await client.search("dogs", filters={"user_id": "x"})
        await client.close()
    assert "mem0: a response is" in caplog.text
