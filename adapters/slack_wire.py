"""The calls of one Slack workspace, and what more than one of our parts asks of it."""

import logging
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient

from bot.events import File, Person, Place

#: Messages a page, and pages, of a channel or thread that are looked through.
PAGE = 200
PAGES = 5

Message = dict[str, Any]


@dataclass(slots=True)
class Wire:
    """The calls of one workspace.

    `posts` retries nothing but a rate limit, since a post that is repeated shows twice; `edits` retries nothing at
    all, for those that the next one overtakes; `reads` retries lost connections too.
    """

    http: aiohttp.ClientSession
    posts: AsyncWebClient
    edits: AsyncWebClient
    reads: AsyncWebClient
    bot_user: str = ""
    status_off: bool = False

    @classmethod
    def open(cls, http: aiohttp.ClientSession, base_url: str, token: str, logger: logging.Logger) -> "Wire":
        """Clients that share one pool of connections."""

        def client(*handlers: Any) -> AsyncWebClient:
            return AsyncWebClient(
                token, base_url=base_url, session=http, logger=logger, retry_handlers=list(handlers), timeout=30
            )

        return cls(
            http,
            posts=client(AsyncRateLimitErrorRetryHandler(max_retry_count=5)),
            edits=client(),
            reads=client(AsyncRateLimitErrorRetryHandler(max_retry_count=2), AsyncConnectionErrorRetryHandler()),
        )

    async def whisper(self, place: Place, person: Person, text: str, blocks: list[dict[str, Any]] | None) -> None:
        """Show something to one person alone. Raises one of FAILURES."""
        await self.reads.chat_postEphemeral(
            channel=place.channel,
            user=person.user,
            thread_ts=place.thread,
            text=text,
            blocks=blocks,
            link_names=False,
            parse="none",
        )

    async def hand_over(self, person: Person, file: File) -> None:
        """Send a file into the person's direct messages with the bot. Raises one of FAILURES."""
        opened = await self.reads.conversations_open(users=person.user)
        await self.posts.files_upload_v2(
            channel=str(opened["channel"]["id"]), file=file.content, filename=file.name, title=file.name
        )

    async def after(self, channel: str, thread: str | None, ts: str, *, metadata: bool = False) -> list[Message]:
        """What was written after a time stamp in a thread, or at the channel's top level; oldest first.

        At most a thousand messages. Raises one of FAILURES.
        """
        where: dict[str, Any] = {"channel": channel, "oldest": ts, "limit": PAGE, "include_all_metadata": metadata}
        found: dict[str, Message] = {}
        for _ in range(PAGES):
            if thread:
                page = await self.reads.conversations_replies(ts=thread, **where)
            else:
                page = await self.reads.conversations_history(**where)
            # The thread's first message comes with every page, however old it is.
            found |= {m["ts"]: m for m in page.get("messages") or () if str(m.get("ts") or "") > ts}
            where["cursor"] = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not where["cursor"]:
                break
        return [found[key] for key in sorted(found)]
