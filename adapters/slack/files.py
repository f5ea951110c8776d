"""Files that come with messages, fetched from Slack's own hosts when the message is answered.

Slack hands a file out to whoever shows the token, at an address that its events name. A file that is kept elsewhere (a
link to a drive) has that place's address there: the token is for Slack alone, so nothing else is asked, and no redirect
is followed. Without `files:read`, Slack answers with a page to sign in at.
"""

import asyncio
import logging
from typing import Any

import aiohttp
from yarl import URL

from adapters.slack.api import SlackApi
from adapters.slack.content import attachment
from adapters.slack.errors import SLACK_ERRORS, code
from bot.model import Attachment
from bot.ports import CannotOpen

log = logging.getLogger(__name__)

#: Slack's hosts, each with all below it.
HOSTS = ("slack.com", "slack-gov.com")
#: Attempts at fetching one file, and seconds between them.
TRIES = 3
PAUSE = 0.3
_PIECE = 65_536

ELSEWHERE = "isn't kept by Slack, so that it can't be downloaded"
GONE = "couldn't be downloaded: it is no longer there"


async def fetch(api: SlackApi, file: Attachment, limit: int) -> bytes:
    """A file's content. Raises CannotOpen."""
    url, kind, size = file.url, file.type, file.size
    if not url:  # an event that was stored, or one of a shared channel, doesn't say where
        found = attachment(await _look_up(api, file))
        url, kind, size = found.url, found.type, found.size
    if size > limit:
        raise CannotOpen(f"is larger than {limit >> 20} MB")
    if not _is_slacks(url, api.reads.base_url):
        raise CannotOpen(ELSEWHERE)
    for attempt in range(1, TRIES + 1):
        try:
            return await _download(api, url, limit, kind, size)
        except (aiohttp.ClientError, OSError) as exc:
            log.warning("slack: a file could not be fetched: %s", type(exc).__name__)
            if attempt == TRIES:
                raise CannotOpen from exc
            await asyncio.sleep(_pause(exc))
    raise CannotOpen


def _pause(exc: BaseException) -> float:
    """Seconds until the next attempt: as long as a rate limit asks for."""
    headers = exc.headers if isinstance(exc, aiohttp.ClientResponseError) else None
    asked = str(headers.get("Retry-After", "")) if headers else ""
    return float(asked) if asked.isdecimal() else PAUSE


async def _look_up(api: SlackApi, file: Attachment) -> dict[str, Any]:
    if not file.id:
        raise CannotOpen
    try:
        about = (await api.reads.files_info(file=file.id)).get("file")
    except SLACK_ERRORS as exc:
        log.warning("slack: a file could not be looked up: %s", code(exc))
        gone = code(exc) in ("file_not_found", "file_deleted")
        raise CannotOpen(GONE) if gone else CannotOpen() from exc
    return about if isinstance(about, dict) else {}


def _is_slacks(url: str, base: str) -> bool:
    """Whether an address is Slack's own: over HTTPS, or at the very address of its Web API."""
    try:
        asked, ours = URL(url), URL(base)
        if not asked.host or asked.user is not None:
            return False
        if (asked.scheme, asked.host, asked.port) == (ours.scheme, ours.host, ours.port):
            return True
    except ValueError:
        return False
    return asked.scheme == "https" and any(asked.host == host or asked.host.endswith(f".{host}") for host in HOSTS)


async def _download(api: SlackApi, url: str, limit: int, kind: str, size: int) -> bytes:
    headers = {"Authorization": f"Bearer {api.reads.token}"}
    async with api.http.get(URL(url), headers=headers, allow_redirects=False) as response:
        if response.status >= 500 or response.status == 429:
            response.raise_for_status()
        if response.status != 200:
            log.warning("slack: a file is refused (HTTP %d): does the app have files:read?", response.status)
            raise CannotOpen(GONE if response.status in (404, 410) else CannotOpen().reason)
        content = bytearray()
        async for piece in response.content.iter_chunked(_PIECE):
            content += piece
            if len(content) > limit:
                raise CannotOpen(f"is larger than {limit >> 20} MB")
        # A page to sign in at comes as a success. An HTML file is as long as Slack says that it is.
        if response.content_type == "text/html" and not (kind == "text/html" and len(content) == size):
            log.warning("slack: a page came instead of a file: does the app have files:read?")
            raise CannotOpen
    return bytes(content)
