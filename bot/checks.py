"""What the doctor's checks share: requests to services, and findings.

Nothing that a check returns contains a secret's value.
"""

from dataclasses import dataclass
from typing import Any

import aiohttp
from pydantic import SecretStr

from bot import settings_check
from bot.config import Settings
from bot.text.clean import printable


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: the setting or service, whether it is fine, and what to know or do about it.

    `odd` marks what works but may not be intended.
    """

    name: str
    ok: bool
    text: str
    odd: bool = False

    def __str__(self) -> str:
        return f"{'!' if self.odd else '✓' if self.ok else '✗'} {self.name}: {self.text}"


@dataclass(frozen=True, slots=True)
class Reply:
    """A service's answer: its JSON object (empty if it isn't one), and the scopes that Slack reports."""

    status: int
    body: dict[str, Any]
    scopes: str | None = None


class Unreachable(Exception):
    """The service gave no answer; the message is one line about it."""


async def ask(
    session: aiohttp.ClientSession, method: str, url: str, headers: dict[str, str], content: object = None
) -> Reply:
    """Send one request. Raises Unreachable."""
    try:
        async with session.request(method, url, headers=headers, json=content, allow_redirects=False) as response:
            try:
                body = await response.json(content_type=None)
            except ValueError:
                body = None
            return Reply(
                response.status, body if isinstance(body, dict) else {}, response.headers.get("x-oauth-scopes")
            )
    except (aiohttp.ClientError, OSError, ValueError) as exc:  # OSError: a time-out; ValueError: an invalid header
        raise Unreachable(f"can't be reached ({type(exc).__name__})") from exc


def secret(value: SecretStr | None) -> str:
    """The value of a secret; empty if it isn't set."""
    return value.get_secret_value() if value is not None else ""


def miscopied(settings: Settings, *names: str) -> list[Finding]:
    """Findings for those of these secrets that can't be a token, so that there is no point in trying them."""
    return [
        Finding(name.upper(), False, wrong)
        for name in names
        if (value := getattr(settings, name)) is not None
        and (wrong := settings_check.problem(name, value.get_secret_value()))
    ]


def trouble(status: int) -> str:
    """Describe a status that says neither that a setting is right nor that it is wrong."""
    if status == 429:
        return "limits how often we may ask (HTTP 429): try again in a minute"
    return f"answers HTTP {status}: try again later" if status >= 500 else f"answers HTTP {status}"


def unreachable(setting: str, exc: Unreachable) -> Finding:
    """The finding that a service can't be reached, for the setting with its address."""
    return Finding(setting, False, f"{exc}; check the address, the network and any proxy")


def name_of(value: object) -> str:
    """A name from a service, shortened, without characters that a terminal would interpret."""
    return printable(str(value))[:80] if value else "?"
