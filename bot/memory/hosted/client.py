"""The wire to hosted mem0: mem0's own asynchronous client, opened without blocking, with retries and event polling.

Nothing leaves it that is about nobody or everybody (`hosted_guard`).
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

Row = dict[str, Any]
Sleep = Callable[[float], Awaitable[None]]

TIMEOUT = httpx.Timeout(10, connect=5)
#: Attempts of one request, the pause before the second in seconds (doubled each time), and the longest pause.
ATTEMPTS = 5
PAUSE_MOST = 30.0
BACKOFF = Backoff(first=0.5, longest=PAUSE_MOST)
#: Pauses between two looks at a queued add, in seconds.
POLL_FIRST = 0.2
POLL_MOST = 2.0

PAGE = 100
PAGES_MOST = 1000
#: Reads leave out what was merged or has expired, unless they are told otherwise (docs.mem0.ai, "Dream").
HIDDEN = {"include_merged": True, "show_expired": True}


class Refused(MemoryUnavailable):
    """mem0 answers that this request is wrong (4xx, in `status`): asking again is of no use."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status

    @property
    def missing(self) -> bool:
        """Whether there is nothing of that id."""
        return self.status == 404


class Lost(MemoryUnavailable):
    """No usable answer after all attempts (429, 5xx, no connection).

    Attributes:
        after: The pause asked for, in seconds.
        done: Whether the service may have done what was asked all the same.
    """

    def __init__(self, reason: str, after: float | None = None, *, done: bool = True) -> None:
        super().__init__(reason)
        self.after = after
        self.done = done


class _Stream(BoundedStream, httpx.AsyncByteStream):
    """What is read of one response."""


class _Transport(BoundedTransport, httpx.AsyncBaseTransport):
    """Reads no more of a response than it may."""

    service, stream, error = "mem0", _Stream, httpx.DecodingError


class HostedClient:
    """mem0's REST API as this bot uses it. Made by `open`."""

    def __init__(self, client: Any, sleep: Sleep = asyncio.sleep, jitter: Callable[[], float] = random.random) -> None:
        self._client = client
        self._http: httpx.AsyncClient = client.async_client
        self._sleep = sleep
        self._jitter = jitter

    @classmethod
    async def open(cls, api_key: str, host: str, *, sleep: Sleep = asyncio.sleep) -> "HostedClient":
        """Connect; raise SettingsError where the service refuses the key. A service that is down is no error here."""
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

    async def add(self, messages: Sequence[Mapping[str, str]], **fields: Any) -> tuple[str | None, list[Row]]:
        """Queue one add, once, with no retry: the event to follow, or None and what was added at once."""
        answer = await self._call(lambda: self._client.add(list(messages), **fields), attempts=1)
        rows = _rows(answer)
        event = answer.get("event_id") if isinstance(answer, dict) else None
        event = event or next((row["event_id"] for row in rows if row.get("event_id")), None)
        return (str(event), []) if event else (None, rows)

    async def follow(self, event: str, patience: float) -> tuple[str, list[Row]]:
        """Wait for a queued add: (`SUCCEEDED` or `FAILED`, results).

        After `patience` seconds (`PENDING`, []), or (`UNKNOWN`, []) where mem0 knows no such event (any more).
        """
        pause = POLL_FIRST
        waited = 0.0
        while True:
            try:
                answer = await self._call(lambda: self._event(event))
            except Refused as exc:
                if not exc.missing:
                    raise
                answer = {"status": "UNKNOWN"}  # one that was queued a moment ago may not be readable yet
            status = str(answer.get("status", "PENDING")).upper()
            if status in ("SUCCEEDED", "FAILED"):
                return status, _rows(answer)
            if waited >= patience:
                return "UNKNOWN" if status == "UNKNOWN" else "PENDING", []
            await self._sleep(pause)
            waited += pause
            pause = min(pause * 1.5, POLL_MOST)

    async def _event(self, event: str) -> Any:
        return await self._read(f"/v1/event/{quote(event, safe='')}/")

    async def _read(self, path: str, **query: str) -> Any:
        """What lies at a path. Not by mem0's own client, which calls it an error in the log where there is nothing."""
        response = await self._http.get(path, params=query)
        response.raise_for_status()
        return response.json()

    async def search(self, query: str, **fields: Any) -> list[Row]:
        """The memories that fit a query (not blank), best first."""
        return _rows(await self._call(lambda: self._client.search(query, **fields)))

    async def all(self, filters: Row, *, hidden: bool = False) -> list[Row]:
        """All memories that pass the filters, over all pages; with `hidden` those too that mem0 keeps but doesn't show.

        What it has merged into a fuller memory ("Dream"), and what has expired.
        """
        rows: dict[str, Row] = {}
        asked = {"filters": filters, "page_size": PAGE, **(HIDDEN if hidden else {})}
        for page in range(1, PAGES_MOST + 1):
            answer = await self._call(lambda page=page: self._client.get_all(page=page, **asked))  # type: ignore[misc]
            part = _rows(answer)
            rows |= {str(row["id"]): row for row in part}
            if not part or not (isinstance(answer, dict) and answer.get("next")):
                break
        return list(rows.values())

    async def get(self, memory_id: str) -> Row | None:
        """One memory, a hidden one too; None where there is none of that id."""
        if not guard.MEMORY_ID.fullmatch(memory_id):
            return None
        try:
            row = await self._call(lambda: self._read(f"/v1/memories/{memory_id}/", include_merged="true"))
        except Refused as exc:
            if exc.missing:
                return None
            raise
        return row if isinstance(row, dict) else None

    async def delete(self, memory_id: str) -> bool:
        """Delete one memory; False where there was none of that id."""
        if not guard.MEMORY_ID.fullmatch(memory_id):
            return False
        try:
            await self._call(lambda: self._client.delete(memory_id))
        except Refused as exc:
            if exc.missing:
                return False
            raise
        return True

    async def delete_user(self, user_id: str, patience: float) -> None:
        """Delete all memories of one person, and wait until that is done. An empty id raises ValueError: nobody's.

        mem0 works on it behind a queue: raises MemoryUnavailable where it fails, or takes more than `patience` seconds.
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
        """Sleep before the attempt after number `attempt` (from 0), at least as long as the service asked for."""
        await self._sleep(max(wanted or 0.0, BACKOFF.jittered(attempt + 1, self._jitter)))

    async def _call(self, ask: Callable[[], Awaitable[Any]], attempts: int = ATTEMPTS) -> Any:
        """One request with its retries. Raises Refused or Lost, without the cause: it may quote what was sent."""
        from mem0.exceptions import MemoryError as Mem0Error

        for attempt in range(attempts):
            failure: Exception
            try:
                return await ask()
            except guard.Everybody:
                raise
            except (Mem0Error, httpx.HTTPError, ValueError, RecursionError) as exc:  # the last two: of its JSON
                failure = exc
            status, wanted = _status(failure)
            reason = f"{type(failure).__name__} {status or ''}".strip()
            if status is not None and status < 500 and status not in (408, 429):
                raise Refused(f"mem0: {reason}", status)
            log.info("mem0: %s (attempt %d of %d)", reason, attempt + 1, attempts)
            if attempt + 1 == attempts or (wanted or 0) > PAUSE_MOST:
                break
            await self.pause(attempt, wanted)
        raise Lost(f"mem0: {reason}", wanted, done=status != 429 and not _unconnected(failure))


def _status(failure: Exception) -> tuple[int | None, float | None]:
    """The HTTP status behind an error, None where there was no answer, and the seconds that Retry-After asks for."""
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
    """Whether not even a connection was made, so that nothing was asked."""
    return isinstance(failure, httpx.ConnectError) or getattr(failure, "error_code", "") == "NET_CONNECT"


def _rows(answer: Any) -> list[Row]:
    rows = answer.get("results") if isinstance(answer, dict) else answer
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _client_class() -> Any:
    """mem0's client, imported here because that takes seconds."""
    mem0_env.prepare()
    from mem0.client.main import AsyncMemoryClient

    class Client(AsyncMemoryClient):  # type: ignore[misc]
        """mem0's own client, whose constructor would block the loop on a ping that has no timeout."""

        def _validate_api_key(self) -> None:
            # Its project manager, unused here, wants both; the service knows them by the key.
            self.org_id = self.project_id = "-"

    return Client
