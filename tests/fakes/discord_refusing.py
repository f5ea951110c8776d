"""How the fake Discord answers and refuses: its JSON, its filters, and what a test wants refused."""

import json
from typing import TYPE_CHECKING

from aiohttp import web

from tests.fakes.discord_model import units

if TYPE_CHECKING:
    from tests.fakes.discord import FakeDiscord


def json_response(data: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    # Discord names no charset, and discord.py parses nothing else.
    return web.Response(body=json.dumps(data).encode(), status=status, headers=headers, content_type="application/json")


def error(status: int, code: int, message: str) -> web.Response:
    return json_response({"code": code, "message": message}, status=status)


def refused(fake: "FakeDiscord", what: str) -> web.Response | None:
    """How a test has Discord refuse something."""
    if what not in fake.refuses:
        return None
    status, code = fake.refuses[what]
    if status != 429:
        return error(status, code, "refused")
    waits = {"message": "You are being rate limited.", "retry_after": 3000.0, "global": False, "code": code}
    return json_response(waits, status=429, headers={"Via": "1.1 google", "Retry-After": "3000"})


def unwelcome(fake: "FakeDiscord", content: str) -> web.Response | None:
    """How Discord's filters and its limits refuse a message's content."""
    if not content.strip():
        return error(400, 50006, "Cannot send an empty message")
    if units(content) > 2000:
        return error(400, 50035, "Invalid Form Body")
    return blocked(fake, content)


def blocked(fake: "FakeDiscord", content: str) -> web.Response | None:
    """How Discord's filters refuse a text."""
    found = next((how for words, how in fake.filters.items() if words in content), None)
    return error(*found, "blocked") if found else None
