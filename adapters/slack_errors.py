"""What can go wrong when Slack is called, told apart without quoting what was sent or answered."""

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from slack_sdk.errors import SlackClientError

#: Everything that a Web API call may raise: Slack's refusal, the network's trouble, a time limit.
FAILURES = (SlackClientError, aiohttp.ClientError, TimeoutError, OSError)

#: Slack's errors for a token that will not work, however often it is tried.
REFUSED = frozenset(
    {
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "not_allowed_token_type",
        "missing_scope",
        "no_permission",
        "org_login_required",
        "team_access_not_granted",
        "invalid_app_token",
        "no_access",
    }
)
_PASSING = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)


def code(error: BaseException) -> str:
    """Slack's own word for the error where it gave one, else the HTTP status or the error's type."""
    response = getattr(error, "response", None)
    data = getattr(response, "data", None)
    if isinstance(data, dict) and isinstance(data.get("error"), str):
        return str(data["error"])
    status = getattr(response, "status_code", getattr(response, "status", None))
    return f"HTTP {status}" if isinstance(status, int) else type(error).__name__


def passing(error: BaseException) -> bool:
    """Whether the same call may work a moment later."""
    if not isinstance(error, SlackClientError):
        return True
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", getattr(response, "status", 0))
    return code(error) in _PASSING or (isinstance(status, int) and (status == 429 or status >= 500))


@contextmanager
def outage() -> Iterator[None]:
    """Raise ConnectionError for what may work later, as the core knows it; a refusal as it is."""
    try:
        yield
    except FAILURES as exc:
        if passing(exc):
            raise ConnectionError(f"Slack: {code(exc)}") from exc
        raise


def never_sent(error: BaseException) -> bool:
    """Whether Slack can't have received the call, or said that it did nothing."""
    return isinstance(error, aiohttp.ClientConnectorError) or code(error) in ("ratelimited", "rate_limited")


def retry_after(error: BaseException) -> float:
    """Seconds that Slack asks to wait, an hour at most; 0 where it doesn't."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        return min(max(0.0, float(headers.get("Retry-After", 0))), 3600.0)
    except (TypeError, ValueError):
        return 0.0
