"""The Web API of the Slack on loopback: its state, its methods, its limits and its faults."""

import asyncio
import itertools
import json
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.fakes.slack_blocks import Json, blocks_problem
from tests.fakes.slack_limits import Limits
from tests.fakes.slack_streams import Streams
from tests.fakes.traffic import TRAFFIC, Record

TEAM = "T0FAKE001"
BOT = "U0FAKEBOT"
BOT_ID = "B0FAKEBOT"

#: Characters of `text`: what `chat.update` takes, past which `chat.postMessage` splits it, and the most that it takes.
UPDATE_TEXT = 4_000
SPLIT_TEXT = 4_000
TEXT = 40_000
METADATA = 8_000
LOADING_MESSAGES = 10


@dataclass(frozen=True)
class Fault:
    """What the next call of a method meets.

    `error` is Slack's own; `status` an HTTP status (429 with `retry_after` seconds); `drop` cuts the connection,
    `after` having done what was asked; `delay` is in seconds; with `page` the status comes with a page of HTML, as from
    a proxy or an edge that Slack itself was not reached through.
    """

    error: str = ""
    status: int = 0
    retry_after: int = 1
    drop: bool = False
    after: bool = False
    delay: float = 0.0
    page: bool = False


class WebApi(Streams):
    """State and methods. Ephemeral messages are kept apart: nobody else sees them.

    Attributes:
        limits: The rate limits; None is none.
        closed: What posting in a channel is refused with, by its id.
        no_edits: What every edit is refused with, where the workspace forbids edits.
        blocks_refused: What every message with blocks is refused with.
        status: The status line that a thread shows, by its channel and ts.
        reactions: The bot's reactions, by the message's channel and ts.

    `hidden_before` is the time stamp before which a free plan's histories show nothing, `unlisted` those that histories
    leave out unless they are asked for. With an `enterprise` the workspace is one of that organisation, and `teams` are
    the workspaces by which its people's payloads call them (the bot's own where there is none).
    """

    def __init__(self) -> None:
        super().__init__()
        self.bot_token = "xoxb-fake-bot"
        self.app_token = "xapp-fake-app"
        self.markdown_blocks = True
        self.limits: Limits | None = Limits(time.monotonic)
        self.closed: dict[str, str] = {}
        self.no_edits = ""
        self.blocks_refused = ""
        self.status: dict[tuple[str, str], str] = {}
        self.reactions: dict[tuple[str, str], set[str]] = {}
        self.hidden_before = ""
        self.unlisted: set[str] = set()
        self.enterprise = ""
        self.teams: dict[str, str] = {}
        self.users: dict[str, str] = {}
        self.guests: set[str] = set()
        self.usergroups: dict[str, str] = {}
        self.zones: dict[str, Json] = {}
        self.channels: dict[str, Json] = {}
        self.messages: dict[str, list[Json]] = {}
        self.ephemerals: list[Json] = []
        self.calls: deque[tuple[str, Json]] = deque(maxlen=100_000)
        self.counts: Counter[str] = Counter()
        self.open: Counter[str] = Counter()
        self.most_at_once: Counter[str] = Counter()
        self.tickets: set[str] = set()
        self.url = ""
        self._faults: dict[str, deque[Fault]] = {}
        self._ticks = itertools.count(1)
        #: Seconds since 1970 at which the next message is written.
        self.epoch = int(time.time())
        self.add_channel("C0GENERAL", "general")
        self.add_channel("G0SECRET0", "secret", is_private=True)

    def add_channel(self, channel: str, name: str, **signs: Any) -> str:
        """A channel; public unless `signs` (fields of Slack's conversation object) say otherwise."""
        plain = {"is_channel": True, "is_group": False, "is_im": False, "is_mpim": False, "is_private": False}
        shared = {"is_ext_shared": False, "is_org_shared": False, "is_shared": False, "is_pending_ext_shared": False}
        self.channels[channel] = {"id": channel, "name": name, **plain, **shared, **signs}
        return channel

    def add_user(self, user: str, display_name: str) -> str:
        """A person with a display name."""
        self.users[user] = display_name
        return user

    def team(self, user: str) -> str:
        """The workspace by which a person's payloads call them."""
        return self.teams.get(user, TEAM)

    def dm_channel(self, user: str) -> str:
        """The direct message between a person and the bot."""
        channel = f"D{user[1:]}"
        if channel not in self.channels:
            self.channels[channel] = {"id": channel, "is_im": True, "user": user}
        return channel

    def channel_type(self, channel: str) -> str:
        """The `channel_type` that Slack puts into message events."""
        about = self.channels.get(channel, {})
        if about.get("is_im"):
            return "im"
        return "mpim" if about.get("is_mpim") else "group" if about.get("is_private") else "channel"

    def fail(self, method: str, *faults: Fault) -> None:
        """Let the next calls of a method meet these faults, in order."""
        self._faults.setdefault(method, deque()).extend(faults)

    def answers(self, channel: str, thread: str | None = None) -> list[Json]:
        """The bot's messages there, oldest first."""
        return [
            message
            for message in self.messages.get(channel, [])
            if message.get("user") == BOT and message.get("thread_ts") == thread
        ]

    def next_ts(self) -> str:
        """A ts later than all before."""
        tick = next(self._ticks)
        return f"{self.epoch + tick // 1_000_000}.{tick % 1_000_000:06d}"

    def store(self, channel: str, message: Json, thread_ts: str | None) -> Json:
        """Add a message to a channel, with a ts."""
        message = {**message, "ts": self.next_ts()}
        if thread_ts:
            message["thread_ts"] = thread_ts
            for root in self.messages.get(channel, []):
                if root["ts"] == thread_ts:
                    root["reply_count"] = root.get("reply_count", 0) + 1
                    root["latest_reply"] = message["ts"]
        self.messages.setdefault(channel, []).append(message)
        return message

    async def posted(self, channel: str, event: Json) -> None:
        """Called for each message of the bot's that comes or changes."""

    async def call(self, request: web.Request, method: str) -> web.StreamResponse:
        """One call of the Web API; counts how many of a method are open together."""
        self.open[method] += 1
        self.most_at_once[method] = max(self.most_at_once[method], self.open[method])
        try:
            return await self._call(request, method)
        finally:
            self.open[method] -= 1

    async def _call(self, request: web.Request, method: str) -> web.StreamResponse:
        """One call, with the next fault that is set for it."""
        if request.content_type == "application/json":
            args: Json = await request.json()
        else:
            args = dict(await request.post())
        args |= dict(request.query)
        self.calls.append((method, args))
        self.counts[method] += 1
        queue = self._faults.get(method)
        fault = queue.popleft() if queue else Fault()
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.drop and not fault.after:
            return _cut(request)
        if fault.page:
            return web.Response(text="<html><p>Blocked</p></html>", content_type="text/html", status=fault.status)
        if fault.status and not fault.after:
            headers = {"Retry-After": str(fault.retry_after)} if fault.status == 429 else {}
            error = "ratelimited" if fault.status == 429 else "internal_error"
            return web.json_response({"ok": False, "error": error}, status=fault.status, headers=headers)
        if fault.error:
            return web.json_response({"ok": False, "error": fault.error})
        if self.limits is not None and (wait := self.limits.wait(method, str(args.get("channel") or ""))):
            headers = {"Retry-After": str(wait)}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        result = await self._run(request, method, args)
        TRAFFIC.note(Record("slack", "request", method, args))
        TRAFFIC.note(Record("slack", "answer", method, result, 200))
        if fault.drop:
            return _cut(request)
        if fault.status:
            return web.json_response({"ok": False, "error": "internal_error"}, status=fault.status)
        return web.json_response(result)

    async def _run(self, request: web.Request, method: str, args: Json) -> Json:
        expected = self.app_token if method == "apps.connections.open" else self.bot_token
        token = request.headers.get("Authorization", "").removeprefix("Bearer ") or args.get("token")
        if token != expected:
            return _error("invalid_auth")
        handler: Callable[[Json], Any] | None = getattr(self, f"_{method.replace('.', '_')}", None)
        if handler is None:
            return _error("unknown_method")
        result: Json = await handler(args)
        return {"ok": True, **result} if "ok" not in result else result

    async def _auth_test(self, args: Json) -> Json:
        team = {"url": "https://fake.slack.com/", "team": "Fake", "team_id": TEAM}
        return {
            **team,
            "user": "memory",
            "user_id": BOT,
            "bot_id": BOT_ID,
            "is_enterprise_install": False,
        } | self._organisation()

    def _organisation(self) -> Json:
        return {"enterprise_id": self.enterprise} if self.enterprise else {}

    async def _apps_connections_open(self, args: Json) -> Json:
        ticket = f"t{next(self._ticks)}"
        self.tickets.add(ticket)
        return {"url": f"{self.url.replace('http', 'ws', 1)}/socket/{ticket}"}

    async def _chat_postMessage(self, args: Json) -> Json:
        if problem := self._problem(args) or self._closed(args):
            return _error(problem)
        channel, thread = args["channel"], args.get("thread_ts")
        kept = {key: args[key] for key in ("text", "metadata", "link_names", "parse") if args.get(key)}
        author = {"type": "message", "user": BOT, "bot_id": BOT_ID, "text": ""}
        blocks = _list(args.get("blocks"))
        text, *others = [kept.get("text", "")] if blocks else _split(kept.get("text", ""))
        message = self.store(channel, {**author, **kept, "text": text, "blocks": blocks}, thread)
        for other in others:
            self.store(channel, {**author, "text": other, "blocks": []}, thread)
        if thread:
            self.status.pop((channel, thread), None)
        await self.posted(channel, as_told(message))
        return {"channel": channel, "ts": message["ts"], "message": message}

    async def _chat_update(self, args: Json) -> Json:
        if problem := self._problem(args):
            return _error(problem)
        if len(args.get("text") or "") > UPDATE_TEXT:
            return _error("msg_too_long")
        if self.channels[args["channel"]].get("is_archived"):
            return _error("is_inactive")
        message = self._message(args)
        if message is None or self.no_edits:
            return _error("message_not_found" if message is None else self.no_edits)
        if self.is_streaming(args["channel"], args["ts"]):
            return _error("streaming_state_conflict")
        before = as_told(message)
        message |= {"text": args.get("text", ""), "blocks": _list(args.get("blocks")), "edited": {"user": BOT}}
        message |= {"metadata": args["metadata"]} if args.get("metadata") else {}
        changed = {"type": "message", "subtype": "message_changed", "hidden": True, "ts": self.next_ts()}
        await self.posted(args["channel"], {**changed, "message": as_told(message), "previous_message": before})
        return {"channel": args["channel"], "ts": args["ts"], "text": message["text"]}

    async def _chat_delete(self, args: Json) -> Json:
        message = self._message(args)
        if message is None:
            return _error("message_not_found")
        self.messages[args["channel"]].remove(message)
        deleted = {"type": "message", "subtype": "message_deleted", "hidden": True, "ts": self.next_ts()}
        await self.posted(args["channel"], {**deleted, "deleted_ts": args["ts"], "previous_message": as_told(message)})
        return {"channel": args["channel"], "ts": args["ts"]}

    async def _chat_postEphemeral(self, args: Json) -> Json:
        if problem := self._problem(args):
            return _error(problem)
        if problem := self._closed(args):
            return _error(problem)
        thread = args.get("thread_ts")
        roots = [message for message in self.messages.get(args["channel"], []) if message["ts"] == thread]
        if not thread or any(root.get("reply_count") for root in roots):  # else Slack shows it to nobody
            self.ephemerals.append({**args, "blocks": _list(args.get("blocks"))})
        return {"message_ts": self.next_ts()}

    async def _conversations_info(self, args: Json) -> Json:
        channel = self.channels.get(args["channel"])
        return {"channel": channel} if channel else _error("channel_not_found")

    async def _conversations_history(self, args: Json) -> Json:
        if args["channel"] not in self.channels:
            return _error("channel_not_found")
        top = [m for m in self.messages.get(args["channel"], []) if m.get("thread_ts") in (None, m["ts"])]
        roots = [{**m, "thread_ts": m["ts"]} if m.get("reply_count") else m for m in top]
        found = [m for m in roots[::-1] if _within(m, args)]
        shown = [m for m in found if m["ts"] >= self.hidden_before and m["ts"] not in self.unlisted]
        if args.get("latest") in self.unlisted:
            shown = found
        return _page(shown, args) | ({"is_limited": True} if self.hidden_before else {})

    async def _conversations_replies(self, args: Json) -> Json:
        found = [m for m in self.messages.get(args["channel"], []) if args["ts"] in (m["ts"], m.get("thread_ts"))]
        if not found:
            return _error("thread_not_found")
        # The thread's first message comes in any case.
        return _page([m for m in found if _within(m, args) or m["ts"] == args["ts"]], args)

    async def _users_info(self, args: Json) -> Json:
        user = args["user"]
        name = self.users.get(user, "")
        profile = {"display_name": name, "real_name": name or user.lower()}
        zone = self.zones.get(user, {})
        about = {"id": user, "team_id": self.team(user), "is_restricted": user in self.guests}
        return {"user": {**about, "name": user.lower(), "profile": profile, **zone}}

    async def _usergroups_list(self, args: Json) -> Json:
        groups = [{"id": key, "handle": handle, "name": handle} for key, handle in self.usergroups.items()]
        return {"usergroups": groups} if groups else _error("missing_scope")

    async def _assistant_threads_setStatus(self, args: Json) -> Json:
        where = (str(args["channel_id"]), str(args["thread_ts"]))
        if args["channel_id"] not in self.channels:
            return _error("channel_not_found")
        if not any(message["ts"] == args["thread_ts"] for message in self.messages.get(where[0], [])):
            return _error("invalid_thread_ts")
        if len(_list(args.get("loading_messages"))) > LOADING_MESSAGES:
            return _error("invalid_arguments")
        if args["status"]:
            self.status[where] = str(args["status"])
        else:
            self.status.pop(where, None)
        return {}

    async def _reactions_add(self, args: Json) -> Json:
        where = (str(args["channel"]), str(args["timestamp"]))
        if where[0] not in self.channels:
            return _error("channel_not_found")
        if not any(message["ts"] == where[1] for message in self.messages.get(where[0], [])):
            return _error("message_not_found")
        shown = self.reactions.setdefault(where, set())
        if args["name"] in shown:
            return _error("already_reacted")
        shown.add(str(args["name"]))
        return {}

    async def _reactions_remove(self, args: Json) -> Json:
        where = (str(args["channel"]), str(args["timestamp"]))
        if args["name"] not in self.reactions.get(where, ()):
            return _error("no_reaction")
        self.reactions[where].discard(str(args["name"]))
        if not self.reactions[where]:
            del self.reactions[where]
        return {}

    def _message(self, args: Json) -> Json | None:
        messages = self.messages.get(args["channel"], [])
        return next((m for m in messages if m["ts"] == args["ts"] and m.get("user") == BOT), None)

    def _problem(self, args: Json) -> str:
        if args.get("channel") not in self.channels:
            return "channel_not_found"
        blocks = _list(args.get("blocks"))
        if not (args.get("text") or "").strip() and not blocks:
            return "no_text"
        if len(args.get("text") or "") > TEXT:
            return "msg_too_long"
        if len(json.dumps(args.get("metadata") or {})) > METADATA:
            return "metadata_too_large"
        if blocks and self.blocks_refused:
            return self.blocks_refused
        if any(block["type"] == "markdown" for block in blocks) and not self.markdown_blocks:
            return "invalid_blocks"
        return blocks_problem(blocks)

    def post_stream(self, channel: str, thread: str, text: str, blocks: list[Json]) -> Json:
        """Store a stream's message."""
        return self.store(
            channel, {"type": "message", "user": BOT, "bot_id": BOT_ID, "text": text, "blocks": blocks}, thread
        )

    def refusal(self, args: Json) -> str:
        """What posting in a channel is refused with."""
        return self._closed(args)

    def _closed(self, args: Json) -> str:
        """What posting in a channel is refused with."""
        archived = "is_archived" if self.channels[args["channel"]].get("is_archived") else ""
        return archived or self.closed.get(args["channel"], "")


def _within(message: Json, args: Json) -> bool:
    oldest, latest = str(args.get("oldest") or ""), str(args.get("latest") or "9")
    inclusive = str(args.get("inclusive")) in ("1", "True", "true")
    return oldest < message["ts"] < latest or (inclusive and message["ts"] in (oldest, latest))


def _page(messages: list[Json], args: Json) -> Json:
    start, limit = int(args.get("cursor") or 0), int(args.get("limit") or 100)
    more = str(start + limit) if start + limit < len(messages) else ""
    page = [dict(message) for message in messages[start : start + limit]]
    if str(args.get("include_all_metadata")) not in ("1", "True", "true"):
        for message in page:
            message.pop("metadata", None)
    return {"messages": page, "has_more": bool(more), "response_metadata": {"next_cursor": more}}


def as_told(message: Json) -> Json:
    """A message as events tell it: how its text was to be read is the request's alone."""
    return {key: value for key, value in message.items() if key not in ("parse", "link_names")}


def _split(text: str) -> list[str]:
    """A text as Slack splits it where it isn't beside blocks."""
    return [text[start : start + SPLIT_TEXT] for start in range(0, len(text), SPLIT_TEXT)] or [""]


def _error(error: str) -> Json:
    return {"ok": False, "error": error}


def _list(value: Any) -> list[Json]:
    found: list[Json] = json.loads(value) if isinstance(value, str) else value or []
    return found


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
