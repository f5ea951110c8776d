"""Hosted mem0's API: mem0's own asynchronous client, opened without blocking, with retries and event polling.

It sends nothing that is about nobody or everybody (`bot.memory.hosted.guard`).
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import httpx

from bot.aio.backoff import Backoff
from bot.config import SettingsError
from bot.memory import mem0_env
from bot.memory.hosted import guard
from bot.network import BoundedStream, BoundedTransport, proxy_for, tls
from bot.ports import MemoryUnavailable

log = logging.getLogger(__name__)

Json = dict[str, Any]
Sleep = Callable[[float], Awaitable[None]]

TIMEOUT = httpx.Timeout(10, connect=5)
#: Attempts per request, and the longest pause between two, in seconds.
ATTEMPTS = 5
MAX_PAUSE = 30.0
BACKOFF = Backoff(first=0.5, longest=MAX_PAUSE)
#: Seconds between polls of a queued add: the first pause and the longest.
MIN_POLL = 0.2
MAX_POLL = 2.0

PAGE = 100
MAX_PAGES = 1000
#: By default, reads omit memories that were merged or have expired (docs.mem0.ai, "Dream").
HIDDEN = {"include_merged": True, "show_expired": True}


class RequestRefused(MemoryUnavailable):
    """mem0 rejects the request (4xx, in `status`): a retry would fail too."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status

    @property
    def missing(self) -> bool:
        """Whether nothing has that id."""
        return self.status == 404


class NoAnswer(MemoryUnavailable):
    """No usable answer after all attempts (429, 5xx, no connection).

    Attributes:
        after: The pause that the service asked for, in seconds.
        done: Whether the service may have carried out the request anyway.
    """

    def __init__(self, reason: str, after: float | None = None, *, done: bool = True) -> None:
        super().__init__(reason)
        self.after = after
        self.done = done


class _Stream(BoundedStream, httpx.AsyncByteStream):
    """The bounded body of one response."""


class _Transport(BoundedTransport, httpx.AsyncBaseTransport):
    """Bounds what is read of a response."""

    service, stream, error = "mem0", _Stream, httpx.DecodingError


class HostedClient:
    """mem0's REST API, as far as the bot uses it. Created by `open`."""

    def __init__(self, client: Any, sleep: Sleep = asyncio.sleep, jitter: Callable[[], float] = random.random) -> None:
        self._client = client
        self._http: httpx.AsyncClient = client.async_client
        self._sleep = sleep
        self._jitter = jitter

    @classmethod
    async def open(cls, api_key: str, host: str, *, sleep: Sleep = asyncio.sleep) -> "HostedClient":
        """Connect. Raises SettingsError if the service rejects the key. If it is down, that isn't an error here."""
        make = await asyncio.to_thread(_client_class)
        proxy = proxy_for(host)
        plain = httpx.AsyncHTTPTransport(verify=tls(), trust_env=False, proxy=str(proxy) if proxy else None)
        http = httpx.AsyncClient(timeout=TIMEOUT, transport=_Transport(plain), event_hooks={"request": [guard.check]})
        client = cls(make(api_key=api_key, host=host, client=http), sleep)
        try:
            await client._ping()
        except BaseException:
            await client.close()
            raise
        return client

    async def _ping(self) -> None:
        try:
            response = await self._http.get("/v1/ping/")
        except httpx.HTTPError as exc:
            log.warning("mem0 can't be reached yet: %s", type(exc).__name__)
            return
        if response.status_code in (401, 403):
            raise SettingsError("MEM0_API_KEY: mem0 refuses it")
        if response.status_code == 404:
            raise SettingsError("MEM0_HOST: there is no mem0 API at that address")
        if response.is_error:
            log.warning("mem0 answers its ping with %d", response.status_code)

    async def add(self, messages: Sequence[Mapping[str, str]], **fields: Any) -> tuple[str | None, list[Json]]:
        """Queue one add, without retries. Returns the event to follow, or None and what was added immediately."""
        answer = await self._call(lambda: self._client.add(list(messages), **fields), attempts=1)
        rows = _rows(answer)
        event = answer.get("event_id") if isinstance(answer, dict) else None
        event = event or next((row["event_id"] for row in rows if row.get("event_id")), None)
        return (str(event), []) if event else (None, rows)

    async def follow(self, event: str, patience: float) -> tuple[str, list[Json]]:
        """Wait for a queued add: (`SUCCEEDED` or `FAILED`, results).

        After `patience` seconds (`PENDING`, []), or (`UNKNOWN`, []) if mem0 knows no such event (any more).
        """
        pause = MIN_POLL
        waited = 0.0
        while True:
            try:
                answer = await self._call(lambda: self._event(event))
            except RequestRefused as exc:
                if not exc.missing:
                    raise
                answer = {"status": "UNKNOWN"}  # an event that was just queued may not be readable yet
            status = str(answer.get("status", "PENDING")).upper()
            if status in ("SUCCEEDED", "FAILED"):
                return status, _rows(answer)
            if waited >= patience:
                return "UNKNOWN" if status == "UNKNOWN" else "PENDING", []
            await self._sleep(pause)
            waited += pause
            pause = min(pause * 1.5, MAX_POLL)

    async def _event(self, event: str) -> Any:
        return await self._read(f"/v1/event/{quote(event, safe='')}/")

    async def _read(self, path: str, **query: str) -> Any:
        """Read a path. Not with mem0's client, which logs an error if there is nothing."""
        response = await self._http.get(path, params=query)
        response.raise_for_status()
        return response.json()

    async def search(self, query: str, **fields: Any) -> list[Json]:
        """The memories that match a query (not blank), best first."""
        return _rows(await self._call(lambda: self._client.search(query, **fields)))

    async def all(self, filters: Json, *, hidden: bool = False) -> list[Json]:
        """All memories that pass the filters, over all pages; with `hidden`, also those that mem0 keeps but hides.

        These are memories that it has merged into a fuller one ("Dream"), or that have expired.
        """
        rows: dict[str, Json] = {}
        asked = {"filters": filters, "page_size": PAGE, **(HIDDEN if hidden else {})}
        for page in range(1, MAX_PAGES + 1):
            answer = await self._call(lambda page=page: self._client.get_all(page=page, **asked))  # type: ignore[misc]
            part = _rows(answer)
            rows |= {str(row["id"]): row for row in part}
            if not part or not (isinstance(answer, dict) and answer.get("next")):
                break
        return list(rows.values())

    async def get(self, memory_id: str) -> Json | None:
        """One memory, even a hidden one; None if there is none with that id."""
        if not guard.MEMORY_ID.fullmatch(memory_id):
            return None
        try:
            row = await self._call(lambda: self._read(f"/v1/memories/{memory_id}/", include_merged="true"))
        except RequestRefused as exc:
            if exc.missing:
                return None
            raise
        return row if isinstance(row, dict) else None

    async def delete(self, memory_id: str) -> bool:
        """Delete one memory; False if there was none with that id."""
        if not guard.MEMORY_ID.fullmatch(memory_id):
            return False
        try:
            await self._call(lambda: self._client.delete(memory_id))
        except RequestRefused as exc:
            if exc.missing:
                return False
            raise
        return True

    async def delete_user(self, user_id: str, patience: float) -> None:
        """Delete all memories of one person, and wait until that is done. Raises ValueError for an empty id.

        mem0 queues this: raises MemoryUnavailable if it fails or takes more than `patience` seconds.
        """
        answer = await self._call(lambda: self._client.delete_all(user_id=user_id))
        event = answer.get("event_id") if isinstance(answer, dict) else None
        if event is None:
            return
        status, _ = await self.follow(str(event), patience)
        if status in ("FAILED", "PENDING"):
            raise MemoryUnavailable(f"mem0 says of a deletion that it is {status}")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def pause(self, attempt: int, wanted: float | None = None) -> None:
        """Sleep after attempt number `attempt` (from 0), at least as long as the service asked for."""
        await self._sleep(max(wanted or 0.0, BACKOFF.jittered(attempt + 1, self._jitter)))

    async def _call(self, ask: Callable[[], Awaitable[Any]], attempts: int = ATTEMPTS) -> Any:
        """One request with its retries. Raises RequestRefused or NoAnswer, without the cause, which may quote text."""
        from mem0.exceptions import MemoryError as Mem0Error

        for attempt in range(attempts):
            failure: Exception
            try:
                return await ask()
            except guard.AboutEverybody:
                raise
            except (Mem0Error, httpx.HTTPError, ValueError, RecursionError) as exc:  # the last two: malformed JSON
                failure = exc
            status, wanted = _status(failure)
            reason = f"{type(failure).__name__} {status or ''}".strip()
            if status is not None and status < 500 and status not in (408, 429):
                raise RequestRefused(f"mem0: {reason}", status)
            log.info("mem0: %s (attempt %d of %d)", reason, attempt + 1, attempts)
            if attempt + 1 == attempts or (wanted or 0) > MAX_PAUSE:
                break
            await self.pause(attempt, wanted)
        raise NoAnswer(f"mem0: {reason}", wanted, done=status != 429 and not _unconnected(failure))


def _status(failure: Exception) -> tuple[int | None, float | None]:
    """An error's HTTP status, None if there was no answer, and the seconds that Retry-After asks for."""
    if isinstance(failure, httpx.HTTPStatusError):
        after = None
        with suppress(ValueError):
            after = float(failure.response.headers.get("Retry-After", ""))
        return failure.response.status_code, after
    code = str(getattr(failure, "error_code", ""))
    if code.startswith("HTTP_") and code[5:].isdigit():
        return int(code[5:]), failure.debug_info.get("retry_after")  # type: ignore[attr-defined]
    return None, None


def _unconnected(failure: Exception) -> bool:
    """Whether no connection was made, so that no request was sent."""
    return isinstance(failure, httpx.ConnectError) or getattr(failure, "error_code", "") == "NET_CONNECT"


def _rows(answer: Any) -> list[Json]:
    rows = answer.get("results") if isinstance(answer, dict) else answer
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _client_class() -> Any:
    """mem0's client. Imported lazily, since that takes seconds."""
    mem0_env.prepare()
    from mem0.client.main import AsyncMemoryClient

    class Client(AsyncMemoryClient):  # type: ignore[misc]
        """mem0's own client, without the ping in its constructor, which would block the loop and has no timeout."""

        def _validate_api_key(self) -> None:
            # Its project manager, unused here, requires both; the service knows them by the key.
            self.org_id = self.project_id = "-"

    return Client
