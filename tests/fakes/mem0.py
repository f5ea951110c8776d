"""Hosted mem0 on loopback, as its public API documents it: queued adds, events, filters with null scoping, deletes.

What is queued is worked on by itself, whether anybody asks about it or not, as a service does that outlives its client.

Null scoping is the service's rule that a filter which names no `run_id` finds only what has none; it holds for
deletes too, which are queued like adds. A memory that is merged into a fuller one ("Dream") is kept, and left out of
reads that don't ask for it. Metadata is compared by equality, `contains` and `ne` alone, and an unknown filter key is
refused.
"""

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.fakes.traffic import TRAFFIC, Record

Row = dict[str, Any]

ENTITIES = ("user_id", "agent_id", "app_id", "run_id")
FIELDS = {*ENTITIES, "created_at", "updated_at", "timestamp", "categories", "metadata", "keywords", "memory_ids"}
KEY = "m0-test-key"


class Refused(Exception):
    """A filter that the service answers with 400."""


@dataclass(slots=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    body: Any


@dataclass(slots=True)
class Fault:
    """Answer the next `times` requests whose path starts with `path` with this; status 0 cuts the connection."""

    method: str
    path: str
    status: int
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False  # the work is done all the same: only the answer is lost
    body: str = ""  # what is answered instead, as JSON


def _facts(messages: list[Row]) -> list[str]:
    return [str(message["content"]) for message in messages if message["role"] == "user"]


def _named(filters: Any) -> set[str]:
    """All field names that a filter names, at any depth."""
    if isinstance(filters, list):
        return {name for part in filters for name in _named(part)}
    if not isinstance(filters, dict):
        return set()
    names: set[str] = set()
    for key, value in filters.items():
        names |= _named(value) if key in ("AND", "OR", "NOT") else {key}
    return names


def _value(row: Row, name: str, wanted: Any) -> bool:
    if name == "memory_ids":
        return row["id"] in (wanted["in"] if isinstance(wanted, dict) else wanted)
    if name == "metadata":
        return all(_metadata(row["metadata"].get(key), value) for key, value in wanted.items())
    if isinstance(wanted, dict):
        if "in" in wanted:
            return row.get(name) in wanted["in"]
        raise Refused(f"operator not supported here: {sorted(wanted)}")
    return row.get(name) is not None if wanted == "*" else row.get(name) == wanted


def _metadata(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        if set(wanted) - {"eq", "ne", "contains"}:
            raise Refused("FilterValidationError: metadata takes eq, ne and contains")
        wanted = wanted.get("eq", wanted.get("contains"))
    return bool(value == wanted)


def matches(row: Row, filters: Row) -> bool:
    """Whether a row passes a filter; raises Refused where the service answers 400."""
    for key, value in filters.items():
        if key == "AND":
            passed = all(matches(row, part) for part in value)
        elif key == "OR":
            passed = any(matches(row, part) for part in value)
        elif key in FIELDS:
            passed = _value(row, key, value)
        else:
            raise Refused(f"Top-level key must be a logical operator or an allowed field, not {key!r}")
        if not passed:
            return False
    return True


class FakeMem0:
    """The service: `rows` is what it holds, `asked` what it was asked, `faults` what goes wrong next."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.events: dict[str, Row] = {}
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self.merged: set[str] = set()  # the ids of those that are hidden behind fuller ones
        self.facts: Callable[[list[Row]], list[str]] = _facts
        self.assistants: Callable[[list[Row]], list[str]] = lambda _: []  # facts that it attributes to the assistant
        self.delay = 0.0  # seconds until an event ends
        self.work: Callable[[Row], Awaitable[None]] | None = None  # awaited with an add's body before its event ends
        self.failing = 0  # how many of the next events end as FAILED
        self.release: asyncio.Event | None = None  # while unset, no event ends
        self.deleted: asyncio.Event | None = None  # while unset, no deletion by user ends
        self.deaf = False  # whether it takes no heed of filters
        self.hang_ping = False
        self.pinged = asyncio.Event()
        self.page_size = 100
        self.url = ""
        self._runner: web.AppRunner | None = None
        self._stopped = asyncio.Event()
        self._working: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "FakeMem0":
        app = web.Application(middlewares=[self._middleware])
        app.router.add_get("/v1/ping/", self._ping)
        app.router.add_post("/v3/memories/add/", self._add)
        app.router.add_get("/v1/event/{id}/", self._event)
        app.router.add_post("/v3/memories/search/", self._search)
        app.router.add_post("/v3/memories/", self._list)
        app.router.add_delete("/v1/memories/", self._delete_all)
        app.router.add_get("/v1/memories/{id}/", self._get)
        app.router.add_delete("/v1/memories/{id}/", self._delete)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopped.set()
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        if self._runner:
            await self._runner.cleanup()

    def put(self, text: str, **fields: Any) -> str:
        """Store a memory as it is and return its id."""
        now = datetime.now(UTC).isoformat()
        row = {
            "id": str(uuid.uuid4()),
            "memory": text,
            "metadata": {},
            "created_at": now,
            "updated_at": now,
            **dict.fromkeys(ENTITIES),
            **fields,
        }
        self.rows.append(row)
        return str(row["id"])

    def requests(self, method: str, path: str) -> list[Asked]:
        """The requests of that method and exact path, oldest first."""
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, path)]

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Any) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        self.asked.append(Asked(request.method, request.path, dict(request.query), body))
        if request.headers.get("Authorization") != f"Token {KEY}":
            return web.json_response({"detail": "Invalid API key"}, status=401)
        fault = next((f for f in self.faults if f.method == request.method and request.path.startswith(f.path)), None)
        if fault:
            fault.times -= 1
            if not fault.times:
                self.faults.remove(fault)
            if fault.after:
                await handler(request)
            if not fault.status and request.transport is not None:
                request.transport.abort()
                return web.Response()
            text = fault.body or '{"detail": "try later"}'
            return web.Response(text=text, status=fault.status, headers=fault.headers, content_type="application/json")
        try:
            answer: web.Response = await handler(request)
        except Refused as exc:
            answer = web.json_response({"filters": [str(exc)]}, status=400)
        self._note(request, body, answer)
        return answer

    @staticmethod
    def _note(request: web.Request, body: Any, answer: web.Response) -> None:
        resource = request.match_info.route.resource
        name = f"{request.method} {re.sub('{[^}]*}', '{}', resource.canonical if resource else request.path)}"
        TRAFFIC.note(Record("mem0", "request", name, {"query": dict(request.query), "body": body}))
        TRAFFIC.note(Record("mem0", "answer", name, json.loads(answer.text or "null"), answer.status))

    async def _ping(self, request: web.Request) -> web.Response:
        self.pinged.set()
        if self.hang_ping:
            await self._stopped.wait()
        return web.json_response(
            {"status": "ok", "org_id": "org", "project_id": "project", "user_email": "ann@example.org"}
        )

    async def _add(self, request: web.Request) -> web.Response:
        body = await request.json()
        if not any(body.get(name) for name in ENTITIES):
            raise Refused("at least one entity id is required")
        event = self._queued("ADD", self._adding, body)
        event["fails"], self.failing = self.failing > 0, max(0, self.failing - 1)
        return web.json_response({"message": "queued", "status": "PENDING", "event_id": event["id"]})

    def _queued(self, kind: str, work: Callable[[Row], Awaitable[None]], body: Row) -> Row:
        event: Row = {"id": str(uuid.uuid4()), "event_type": kind, "status": "PENDING", "results": []}
        event |= {"body": body, "fails": False}
        self.events[event["id"]] = event
        task = asyncio.create_task(self._run(work, event))
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        return event

    async def _event(self, request: web.Request) -> web.Response:
        event = self.events.get(request.match_info["id"])
        if event is None:
            return web.json_response({"detail": "Not found"}, status=404)
        return web.json_response({key: event[key] for key in ("id", "event_type", "status", "results")})

    async def _run(self, work: Callable[[Row], Awaitable[None]], event: Row) -> None:
        await asyncio.sleep(self.delay)
        event["status"] = "RUNNING"
        await work(event)
        event["status"] = "FAILED" if event["fails"] else "SUCCEEDED"

    async def _adding(self, event: Row) -> None:
        body = event["body"]
        if self.work is not None:
            await self.work(body)
        if self.release is not None:
            await self.release.wait()
        if event["fails"]:
            return
        scope = {name: body.get(name) for name in ENTITIES}
        for who, texts in (({}, self.facts(body["messages"])), ({"user_id": None}, self.assistants(body["messages"]))):
            for text in texts:
                memory_id = self.put(text, metadata=body.get("metadata") or {}, **{**scope, **who})
                event["results"].append({"id": memory_id, "event": "ADD", "data": {"memory": text}})

    def found(self, body: Row) -> list[Row]:
        """What a read gives; raises Refused where the service answers 400."""
        filters = body["filters"]
        named = _named(filters)
        if not named & set(ENTITIES):
            raise Refused("at least one entity id is required in filters")
        if self.deaf:
            return list(self.rows)
        unnamed = [name for name in ENTITIES if name not in named]
        return [
            row
            for row in self.rows
            if (body.get("include_merged") or row["id"] not in self.merged)
            and matches(row, filters)
            and all(row[name] is None for name in unnamed)
        ]

    async def _search(self, request: web.Request) -> web.Response:
        body = await request.json()
        words = set(body["query"].lower().split())

        def score(row: Row) -> float:
            return len(words & set(row["memory"].lower().split())) / (len(words) or 1)

        rows = sorted(self.found(body), key=score, reverse=True)
        kept = [{**row, "score": score(row)} for row in rows if score(row) >= body.get("threshold", 0.1)]
        return web.json_response({"results": kept[: body.get("top_k", 10)]})

    async def _list(self, request: web.Request) -> web.Response:
        body = await request.json()
        rows = self.found(body)
        page = int(request.query.get("page", 1))
        size = min(int(request.query.get("page_size", 100)), self.page_size)
        part = rows[(page - 1) * size : page * size]
        more = f"{self.url}/v3/memories/?page={page + 1}" if page * size < len(rows) else None
        return web.json_response({"count": len(rows), "next": more, "previous": None, "results": part})

    async def _get(self, request: web.Request) -> web.Response:
        hidden = self.merged if request.query.get("include_merged") != "true" else frozenset()
        wanted = request.match_info["id"]
        row = next((row for row in self.rows if row["id"] == wanted and wanted not in hidden), None)
        return web.json_response(row) if row else web.json_response({"detail": "Not found"}, status=404)

    async def _delete(self, request: web.Request) -> web.Response:
        kept = [row for row in self.rows if row["id"] != request.match_info["id"]]
        if len(kept) == len(self.rows):
            return web.json_response({"detail": "Not found"}, status=404)
        self.rows = kept
        return web.json_response({"message": "Memory deleted successfully!"})

    async def _delete_all(self, request: web.Request) -> web.Response:
        wanted = {name: request.query[name] for name in ENTITIES if name in request.query}
        event = self._queued("DELETE", self._deleting, wanted)
        return web.json_response({"message": "Delete in progress. This may take some time.", "event_id": event["id"]})

    async def _deleting(self, event: Row) -> None:
        if self.deleted is not None:
            await self.deleted.wait()
        wanted = event["body"]
        # No scope at all, or `*`, deletes everybody's: what the service did, and what must never be asked of it.
        everybody = not wanted or "*" in wanted.values()
        self.rows = [
            row for row in self.rows if not (everybody or all(row[name] == wanted.get(name) for name in ENTITIES))
        ]
