"""Slack's requests over HTTP: read as bytes, and parsed only once their signature has been verified."""

import errno
import hashlib
import hmac
import logging
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest

from adapters.slack.connection_limits import MAX_BODY, ConnectionLimits, TooLarge
from bot.config import SettingsError

log = logging.getLogger(__name__)

EVENTS_PATH = "/slack/events"
#: The maximum age of a request in seconds, as Slack recommends against replays.
WINDOW = 300
#: Seconds between two warnings about signatures; failures in between are counted.
WARN_EVERY = 600.0
#: Bytes of a body without a signature: Slack's certificate check sends one field and a token.
MAX_UNSIGNED_BODY = 2048
#: Seconds that requests in progress get when the server stops.
SHUTDOWN = 5.0

_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_SSL_CHECK = re.compile(rb"(?:\A|&)ssl_check=1(?:&|\Z)")
#: The headers that Bolt reads. Others aren't covered by the signature, and aren't passed on.
_BOLT_HEADERS = (
    "Content-Type",
    "X-Slack-Signature",
    "X-Slack-Request-Timestamp",
    "X-Slack-Retry-Num",
    "X-Slack-Retry-Reason",
)


class Signatures:
    """Verifies requests by the app's signing secret, and logs if that seems wrong."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._refused = 0
        self._warned = -WARN_EVERY

    @staticmethod
    def offered(request: web.BaseRequest) -> bool:
        """Whether a request has what looks like a signature. Otherwise its body isn't worth reading."""
        return bool(
            _SIGNATURE.fullmatch(request.headers.get("X-Slack-Signature", ""))
            and _TIMESTAMP.fullmatch(request.headers.get("X-Slack-Request-Timestamp", ""))
        )

    def right(self, request: web.BaseRequest, body: bytes) -> bool:
        """Whether a request whose signature is `offered` was signed with the secret, and recently."""
        timestamp = request.headers["X-Slack-Request-Timestamp"]
        mac = hmac.new(self._secret, b"v0:" + timestamp.encode() + b":", hashlib.sha256)
        mac.update(body)
        signed = hmac.compare_digest(f"v0={mac.hexdigest()}", request.headers["X-Slack-Signature"])
        age = abs(time.time() - int(timestamp))
        if signed and age <= WINDOW:
            return True
        self._refused += 1
        if time.monotonic() - self._warned >= WARN_EVERY:
            self._warn(age if signed else None)
        return False

    def _warn(self, age: float | None) -> None:
        count, self._refused, self._warned = self._refused, 0, time.monotonic()
        if age is not None:
            log.warning("slack: %d requests refused: signed %d s ago; check this machine's clock", count, int(age))
        else:
            log.warning(
                "slack: %d requests refused: their signature doesn't match SLACK_SIGNING_SECRET; where Slack can't "
                "verify the request URL, copy the secret anew from the app's Basic Information page",
                count,
            )


class Requests:
    """Answers HTTP requests at EVENTS_PATH, passing those that Slack signed to a Bolt app."""

    def __init__(self, app: AsyncApp, secret: str) -> None:
        self._app = app
        self._secret = secret
        self._signatures = Signatures(secret)
        self.door: ConnectionLimits

    async def warm_up(self) -> None:
        """Send Bolt a request like Slack's own, to trigger its lazy imports."""
        body = b'{"type":"url_verification","challenge":"-"}'
        timestamp = str(int(time.time()))
        mac = hmac.new(self._secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": f"v0={mac}",
        }
        await to_aiohttp_response(
            await self._app.async_dispatch(AsyncBoltRequest(body=body.decode(), headers=dict(headers)))
        )

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path, _, query = request.raw_path.partition("?")
        if path != EVENTS_PATH:
            return _refusal(404)
        if request.method == "GET" and _SSL_CHECK.search(query.encode("ascii", "replace")):
            return _closing(web.Response())
        if request.method != "POST":
            return _refusal(405, Allow="POST")
        if "Expect" in request.headers:
            return _refusal(417)
        if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            return _refusal(415)
        offered = self._signatures.offered(request)
        try:
            body = await self.door.read(request, MAX_BODY if offered else MAX_UNSIGNED_BODY)
        except TooLarge:
            return _refusal(413 if offered else 401)
        except TimeoutError:
            return _refusal(408)
        except (web.PayloadAccessError, web.RequestPayloadError, ConnectionError):  # truncated or malformed
            return _refusal(400)
        if not (offered and self._signatures.right(request, body)):
            if _SSL_CHECK.search(body[:MAX_UNSIGNED_BODY]):
                return _closing(web.Response())
            return _refusal(401)
        with self.door.proven(request):
            return await self._dispatch(request, body)

    async def _dispatch(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        headers = {name: request.headers[name] for name in _BOLT_HEADERS if name in request.headers}
        try:
            bolt_request = AsyncBoltRequest(body=body.decode(), headers=dict(headers))
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as exc:
            log.warning("slack: malformed signed request (%s)", type(exc).__name__)
            return _refusal(400)
        try:
            return await to_aiohttp_response(await self._app.async_dispatch(bolt_request))
        except Exception as exc:  # noqa: BLE001 - the request's boundary: Slack sends it again
            log.error("slack: handling a request failed: %s", type(exc).__name__)
            return _refusal(500)


def _closing(response: web.Response) -> web.Response:
    """Close the connection after the response: only signed requests keep theirs open."""
    response.force_close()
    return response


def _refusal(status: int, **headers: str) -> web.Response:
    log.debug("slack: HTTP request refused (%d)", status)
    return _closing(web.Response(status=status, headers=headers))


@asynccontextmanager
async def serving(app: AsyncApp, secret: str, port: int) -> AsyncIterator[None]:
    """Listen on a port. Raises SettingsError if that isn't possible."""
    requests = Requests(app, secret)
    await requests.warm_up()
    requests.door = ConnectionLimits(requests)
    runner = web.ServerRunner(requests.door, shutdown_timeout=SHUTDOWN)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, port=port).start()
        except OSError as exc:
            raise _unbound(port, exc) from exc
        yield
    finally:
        await runner.cleanup()


def _unbound(port: int, exc: OSError) -> Exception:
    """Why the port can't be listened on, if that is the setting's fault; else the error itself."""
    if exc.errno == errno.EADDRINUSE:
        return SettingsError(f"PORT: {port} is in use already; stop what listens there, or choose another port")
    if exc.errno in (errno.EACCES, errno.EPERM):
        return SettingsError(f"PORT: this user may not listen at {port}; choose one from 1024 on")
    if exc.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
        return exc
    reason = os.strerror(exc.errno) if exc.errno else type(exc).__name__
    return SettingsError(f"PORT: can't listen at {port} ({reason})")
