"""`python -m bot doctor`: each setting is tried against its service, and what to do is said in one line.

Nothing is sent but what asks "who am I?", except that the memory model of a compatible server is asked for one word by
schema; and no line holds a secret's value.
"""

import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import aiohttp
from pydantic import SecretStr

from bot import settings_check
from bot.config import Settings, SettingsError, require_platforms
from bot.logs import LEVELS
from bot.network import Connector
from bot.storage.sqlite import make_folder

#: Seconds that one service may take to answer.
TIMEOUT = 10.0
ANTHROPIC_API = "https://api.anthropic.com"
#: Discord's application flags for the message-content intent: granted, and granted to a bot in few servers.
MESSAGE_CONTENT = 1 << 18 | 1 << 19
#: The bot's scopes in slack-manifest.yaml: without one of them, some of what it does fails.
SLACK_SCOPES = frozenset(
    {
        *("app_mentions:read", "channels:history", "channels:read", "chat:write", "commands", "files:write"),
        *("groups:history", "groups:read", "im:history", "im:write", "metadata.message:read", "mpim:history"),
        *("mpim:read", "usergroups:read", "users:read"),
    }
)

#: A question that is answered in JSON only by who keeps to the schema.
_GREETING = {
    "max_tokens": 200,
    "messages": [{"role": "user", "content": "Say hello in one word."}],
    "output_config": {
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "properties": {"greeting": {"type": "string"}},
                "required": ["greeting"],
                "additionalProperties": False,
            },
        }
    },
}
#: A driver's name in a database's address.
_DRIVER = re.compile(r"\A(postgres(?:ql)?)\+\w+://")
_CODE = re.compile(r"[a-z0-9_]{1,60}")
_PLATFORM_TOKENS = ("discord_token", "slack_bot_token", "slack_app_token", "slack_signing_secret")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: the setting or service, whether it is well, and what to know or to do about it.

    `odd` marks what works as it is, and may not be what was meant.
    """

    name: str
    ok: bool
    text: str
    odd: bool = False

    def __str__(self) -> str:
        return f"{'!' if self.odd else '✓' if self.ok else '✗'} {self.name}: {self.text}"


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: dict[str, Any]
    scopes: str | None = None


class _Unreachable(Exception):
    """The service gave no answer; the message is a line about it."""


async def _ask(
    session: aiohttp.ClientSession, method: str, url: str, headers: dict[str, str], content: object = None
) -> _Reply:
    try:
        async with session.request(method, url, headers=headers, json=content, allow_redirects=False) as response:
            try:
                body = await response.json(content_type=None)
            except ValueError:
                body = None
            return _Reply(
                response.status, body if isinstance(body, dict) else {}, response.headers.get("x-oauth-scopes")
            )
    except (aiohttp.ClientError, OSError, ValueError) as exc:  # a time-out is an OSError, a header that can't be: Value
        raise _Unreachable(f"can't be reached ({type(exc).__name__})") from exc


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""


def _miscopied(settings: Settings, *names: str) -> list[Finding]:
    """Those of these secrets that can't be a token, and so needn't be tried."""
    return [
        Finding(name.upper(), False, wrong)
        for name in names
        if (value := getattr(settings, name)) is not None
        and (wrong := settings_check.problem(name, value.get_secret_value()))
    ]


def _trouble(status: int) -> str:
    if status == 429:
        return "limits how often we may ask (HTTP 429): try again in a minute"
    return f"answers HTTP {status}: try again later" if status >= 500 else f"answers HTTP {status}"


async def _claude(session: aiohttp.ClientSession, settings: Settings) -> list[Finding]:
    if settings.anthropic_api_key is None:
        if settings.discord_on or settings.slack_on:
            return [Finding("ANTHROPIC_API_KEY", False, "missing; a platform's answers come from Claude")]
        return [Finding("ANTHROPIC_API_KEY", True, "not set, so the terminal chat runs in notebook mode")]
    if odd := _miscopied(settings, "anthropic_api_key"):
        return odd
    headers = {"x-api-key": _secret(settings.anthropic_api_key), "anthropic-version": "2023-06-01"}
    base = settings.anthropic_base_url or ANTHROPIC_API
    compatible = settings.anthropic_base_url is not None
    findings = []
    for name, model in (("BOT_MODEL", settings.bot_model), ("BOT_MEMORY_MODEL", settings.bot_memory_model)):
        try:
            reply = await _ask(session, "GET", f"{base}/v1/models/{model}", headers)
        except _Unreachable as exc:
            where = "ANTHROPIC_BASE_URL" if compatible else "Claude"
            return [Finding(where, False, f"{exc}; check the address, the network and any proxy")]
        if reply.status in (401, 403):
            text = f"refused (HTTP {reply.status}); make a new key at console.anthropic.com"
            return [Finding("ANTHROPIC_API_KEY", False, text)]
        error = reply.body.get("error")
        kind, message = (error.get("type"), error.get("message")) if isinstance(error, dict) else ("", "")
        if reply.status == 200:
            findings.append(Finding(name, True, f"{model} is there"))
        elif settings_check.is_unknown_model(reply.status, kind, message, model, compatible=compatible):
            findings.append(Finding(name, False, f"the service knows no model {model}; correct its name"))
        elif reply.status in (404, 405, 501):
            findings.append(Finding(name, True, "the service answers, but has no list of models to check it in"))
        else:
            findings.append(Finding(name, False, f"the service {_trouble(reply.status)}"))
    findings.insert(0, Finding("ANTHROPIC_API_KEY", True, "accepted"))
    embedded = settings.bot_memory and settings.mem0_api_key is None
    if compatible and embedded and all(finding.ok for finding in findings):
        findings += await _schemas(session, base, headers, settings.bot_memory_model)
    return findings


async def _schemas(session: aiohttp.ClientSession, base: str, headers: dict[str, str], model: str) -> list[Finding]:
    """Whether the memory model of a compatible server keeps to a JSON schema."""
    name = "BOT_MEMORY_MODEL's JSON"
    try:
        reply = await _ask(session, "POST", f"{base}/v1/messages", headers, {"model": model, **_GREETING})
    except _Unreachable as exc:
        return [Finding(name, True, f"can't be tried: {exc}", odd=True)]
    if reply.status in (400, 422):
        text = f"the service takes no schema (HTTP {reply.status}); facts are read from its text as well as can be"
    elif reply.status != 200:
        return [Finding(name, True, f"can't be tried: the service {_trouble(reply.status)}", odd=True)]
    elif _keeps_schema(reply.body):
        return [Finding(name, True, "keeps to the schema")]
    else:
        text = f"{model} ignores schemas; facts are read from its text as well as can be"
    return [Finding(name, True, text, odd=True)]


def _keeps_schema(message: dict[str, Any]) -> bool:
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    texts = [block.get("text") for block in blocks if isinstance(block, dict) and block.get("type") == "text"]
    try:
        value = json.loads("".join(text for text in texts if isinstance(text, str)))
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and isinstance(value.get("greeting"), str)


async def _discord(session: aiohttp.ClientSession, settings: Settings) -> list[Finding]:
    if not settings.discord_on:
        return []
    if odd := _miscopied(settings, "discord_token"):
        return odd
    # Discord turns away user agents that don't begin so.
    headers = {
        "Authorization": f"Bot {_secret(settings.discord_token)}",
        "User-Agent": "DiscordBot (memory-bot, 0.1.0)",
    }
    try:
        me = await _ask(session, "GET", f"{settings.discord_api_base}/users/@me", headers)
        if me.status == 401:
            text = "refused; reset it at discord.com/developers, Bot, Reset Token"
            return [Finding("DISCORD_TOKEN", False, text)]
        if me.status != 200:
            return [Finding("DISCORD_TOKEN", False, f"Discord {_trouble(me.status)}")]
        application = await _ask(session, "GET", f"{settings.discord_api_base}/applications/@me", headers)
    except _Unreachable as exc:
        return [Finding("DISCORD_API_BASE", False, f"{exc}; check the address, the network and any proxy")]
    findings = [Finding("DISCORD_TOKEN", True, f"accepted, as {_name(me.body.get('username'))}")]
    flags = application.body.get("flags")
    if application.status == 200 and isinstance(flags, int) and flags & MESSAGE_CONTENT:
        text = "on, but the bot never asks for it; switch it off at discord.com/developers, Bot"
        findings.append(Finding("Discord's message content intent", True, text))
    return findings


async def _slack(session: aiohttp.ClientSession, settings: Settings) -> list[Finding]:
    if odd := _miscopied(settings, "slack_bot_token", "slack_app_token", "slack_signing_secret"):
        return odd
    findings = []
    try:
        if settings.slack_bot_token is not None:
            findings += await _slack_bot(session, settings)
        if settings.slack_app_token is not None:
            url = f"{settings.slack_api_base}/apps.connections.open"
            reply = await _ask(session, "POST", url, _bearer(settings.slack_app_token))
            advice = "make an app-level token with connections:write, and switch Socket Mode on"
            findings.append(_slack_finding("SLACK_APP_TOKEN", reply, "accepted, Socket Mode is on", advice))
        elif settings.slack_signing_secret is not None:
            text = f"set; Slack's first request to /slack/events at port {settings.port} will show whether it is right"
            findings.append(Finding("SLACK_SIGNING_SECRET", True, text))
    except _Unreachable as exc:
        return [Finding("SLACK_API_BASE", False, f"{exc}; check the address, the network and any proxy")]
    return findings


async def _slack_bot(session: aiohttp.ClientSession, settings: Settings) -> list[Finding]:
    reply = await _ask(session, "POST", f"{settings.slack_api_base}/auth.test", _bearer(settings.slack_bot_token))
    well = f"accepted, as {_name(reply.body.get('user'))} in {_name(reply.body.get('team'))}"
    advice = "install the app to the workspace and copy its bot token, xoxb-…"
    findings = [_slack_finding("SLACK_BOT_TOKEN", reply, well, advice)]
    if findings[0].ok and reply.scopes is not None:
        missing = sorted(SLACK_SCOPES - {scope.strip() for scope in reply.scopes.split(",")})
        if missing:
            text = f"lacks {', '.join(missing)}; add them (or the manifest), then reinstall the app"
            findings.append(Finding("Slack's scopes", False, text))
    return findings


def _bearer(token: SecretStr | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {_secret(token)}"}


def _slack_finding(name: str, reply: _Reply, well: str, advice: str) -> Finding:
    if reply.body.get("ok") is True:
        return Finding(name, True, well)
    error = reply.body.get("error")
    if isinstance(error, str) and _CODE.fullmatch(error):
        return Finding(name, False, f"refused ({error}); {advice}")
    return Finding(name, False, f"Slack {_trouble(reply.status)}")


async def _mem0(session: aiohttp.ClientSession, settings: Settings) -> list[Finding]:
    if settings.mem0_api_key is None:
        return []
    if odd := _miscopied(settings, "mem0_api_key"):
        return odd
    headers = {"Authorization": f"Token {_secret(settings.mem0_api_key)}"}
    try:
        reply = await _ask(session, "GET", f"{settings.mem0_host}/v1/ping/", headers)
    except _Unreachable as exc:
        return [Finding("MEM0_HOST", False, f"{exc}; check the address, the network and any proxy")]
    if reply.status == 200:
        return [Finding("MEM0_API_KEY", True, "accepted")]
    if reply.status in (400, 401, 403):
        return [Finding("MEM0_API_KEY", False, f"refused (HTTP {reply.status}); make a new key at app.mem0.ai")]
    return [Finding("MEM0_API_KEY", False, f"mem0 {_trouble(reply.status)}")]


def _data_dir(settings: Settings) -> Finding:
    folder = settings.bot_data_dir
    try:
        make_folder(folder)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        reason = os.strerror(exc.errno) if exc.errno else type(exc).__name__
        return Finding("BOT_DATA_DIR", False, f"can't be written ({reason}); choose a folder that this user owns")
    return Finding("BOT_DATA_DIR", True, "can be written")


async def _database(settings: Settings) -> list[Finding]:
    if settings.database_url is None:
        return []
    import psycopg

    # SQLAlchemy's way of naming a driver is not libpq's.
    url = _DRIVER.sub(r"\1://", _secret(settings.database_url))
    try:
        async with asyncio.timeout(TIMEOUT):
            connection = await psycopg.AsyncConnection.connect(url, connect_timeout=int(TIMEOUT))
            async with connection:
                cursor = await connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'")
                vector = await cursor.fetchone()
    except (psycopg.Error, OSError, ValueError) as exc:
        state = getattr(exc, "sqlstate", None)
        if isinstance(exc, psycopg.ProgrammingError) and state is None:
            text = "malformed; it reads postgresql://user:password@host:5432/name"
        elif "password authentication failed" in str(exc):
            text = "the server refuses its user or password"
        else:
            text = f"can't be reached ({type(exc).__name__}); check host, port, name and network"
        return [Finding("DATABASE_URL", False, text)]
    if vector is None:
        return [Finding("DATABASE_URL", False, "connected, but the server has no pgvector; install the extension")]
    return [Finding("DATABASE_URL", True, "connected, pgvector is there")]


def _local(settings: Settings) -> list[Finding]:
    """What can be told without asking anybody."""
    findings = []
    if any(getattr(settings, name) is not None for name in _PLATFORM_TOKENS):
        try:
            require_platforms(settings)
        except SettingsError as exc:
            name, _, text = str(exc).partition(": ")
            if name != "ANTHROPIC_API_KEY":  # found beside the key's own check
                findings.append(Finding(name, False, text))
    else:
        findings.append(Finding("platforms", True, "none is set; `python -m bot chat` needs none"))
    if settings.bot_log_level.strip().upper() not in LEVELS:
        findings.append(Finding("BOT_LOG_LEVEL", False, f"must be one of {', '.join(LEVELS)}"))
    if settings.bot_persona is not None:
        try:
            settings.persona()
            findings.append(Finding("BOT_PERSONA", True, "can be read"))
        except SettingsError as exc:
            findings.append(Finding("BOT_PERSONA", False, str(exc).removeprefix("BOT_PERSONA: ")))
    findings += _embedder(settings)
    if unknown := settings_check.unknown(settings_check.named()):
        text = f"these are no settings, and are not used: {', '.join(unknown)}"
        findings.append(Finding("other variables", True, text, odd=True))
    findings.append(_data_dir(settings))
    return findings


def _embedder(settings: Settings) -> list[Finding]:
    try:
        settings_check.require_embedder(settings)
    except SettingsError as exc:
        name, _, text = str(exc).partition(": ")
        return [Finding(name, False, text)]
    if settings.openai_api_key is not None and (odd := _miscopied(settings, "openai_api_key")):
        return odd
    if settings.bot_embedder == settings_check.WORDLLAMA:
        return []
    return [Finding("BOT_EMBEDDER", True, "its Python package is installed; the start loads its model")]


async def _unlearned(count: Callable[[], Awaitable[int]] | None) -> list[Finding]:
    if count is None:
        return []
    name = "exchanges that could not be learned"
    try:
        number = await count()
    except Exception as exc:  # noqa: BLE001 - any journal may stand behind it; the other findings are wanted all the same
        return [Finding(name, False, f"can't be counted ({type(exc).__name__})")]
    if number:
        return [
            Finding(
                name,
                False,
                f"{number}; they are kept, and the log says why they failed: `python -m bot relearn` tries them again",
            )
        ]
    return [Finding(name, True, "none")]


async def examine(settings: Settings, unlearned: Callable[[], Awaitable[int]] | None = None) -> list[Finding]:
    """Check every setting, the services side by side; `unlearned` counts the exchanges that learning gave up on."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with aiohttp.ClientSession(timeout=timeout, connector=Connector()) as session:
        groups = await asyncio.gather(
            asyncio.to_thread(_local, settings),
            _claude(session, settings),
            _discord(session, settings),
            _slack(session, settings),
            _database(settings),
            _mem0(session, settings),
            _unlearned(unlearned),
        )
    return [finding for group in groups for finding in group]


async def run(
    settings: Settings, unlearned: Callable[[], Awaitable[int]] | None = None, out: TextIO | None = None
) -> int:
    """Examine, print a line for each finding, and return the exit code: 0 where all is well, else 2."""
    findings = await examine(settings, unlearned)
    stream = out or sys.stdout
    encoding = stream.encoding or "utf-8"
    text = "".join(f"{finding}\n" for finding in findings)
    stream.write(text.encode(encoding, "replace").decode(encoding))
    return _exit_code(findings)


def _exit_code(findings: Sequence[Finding]) -> int:
    return 0 if all(finding.ok for finding in findings) else 2


def _name(value: object) -> str:
    """A name from a service: short, and nothing in it that a terminal would obey."""
    return "".join(sign for sign in str(value) if sign.isprintable())[:80] if value else "?"
