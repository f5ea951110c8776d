"""Interprets errors of Claude's API, or of a compatible server."""

import re
from typing import NoReturn

import anthropic

from bot.ports import ChatError, ChatMisconfigured, ChatOverloaded, ChatRefused, ChatTooLong, ChatUnpaid

_OVERLOADED = {"overloaded_error", "rate_limit_error"}
_TOO_LONG = (
    *("too long", "context window", "context limit", "context size", "context length", "too many tokens"),
    *("maximum context", "maximum number of tokens"),
)
_CONTENT = ("content filter", "content policy", "content management policy", "usage polic", "safety system")
_UNPAID = ("credit balance", "usage limits", "insufficient_quota", "insufficient quota", "insufficient credits")
#: Client errors that a retry may fix.
_TRANSIENT = (408, 409, 425, 429)
_KIND = re.compile(r"[a-z][a-z_]{0,59}")


def error_text(exc: anthropic.APIStatusError) -> str:
    """The service's message, in lower case. It may quote the request: not for the log."""
    words = exc.api_message if isinstance(exc.api_message, str) else exc.message
    return str(words).lower()


def kind_of(exc: anthropic.APIStatusError) -> str:
    """The error's type as the service names it, for the log; empty unless it is a plain word."""
    kind: object = exc.type
    return kind if isinstance(kind, str) and _KIND.fullmatch(kind) else ""


def name_of(exc: anthropic.APIStatusError) -> str:
    """Status and type, for the log."""
    return ", ".join(filter(None, (f"HTTP {exc.status_code}", kind_of(exc))))


def is_too_long(exc: anthropic.APIStatusError) -> bool:
    """Whether the service says that the request is too long."""
    if exc.status_code == 413:
        return True
    return exc.status_code in (200, 400, 422) and any(words in error_text(exc) for words in _TOO_LONG)


def is_unpaid(exc: anthropic.APIStatusError) -> bool:
    """Whether the account has no credit left, or has reached its owner's spending limit."""
    if exc.status_code == 402 or kind_of(exc) == "billing_error":
        return True
    return exc.status_code in (200, 400, 403, 429) and any(words in error_text(exc) for words in _UNPAID)


def about_content(exc: anthropic.APIStatusError) -> bool:
    """Whether a content filter objects to the request or its answer."""
    return exc.status_code in (200, 400, 403, 422) and any(words in error_text(exc) for words in _CONTENT)


def translate(exc: Exception, model: str) -> NoReturn:
    """Raise the ChatError that an error of the SDK amounts to, without its message, which may quote the request."""
    if not isinstance(exc, anthropic.APIStatusError):
        raise ChatError(type(exc).__name__) from exc
    # An error within a stream has the stream's status, 200: its type is what counts.
    status, kind, name = exc.status_code, kind_of(exc), name_of(exc)
    if is_unpaid(exc):
        hint = f"The account behind ANTHROPIC_API_KEY has no credit left ({name}): add some, then ask again."
        raise ChatUnpaid(f"no credit: {name}", hint=hint) from exc
    if kind in _OVERLOADED or status in (429, 529):
        raise ChatOverloaded(name) from exc
    if about_content(exc):
        raise ChatRefused(name) from exc
    if is_too_long(exc):
        raise ChatTooLong(name) from exc
    if status == 401 or kind == "authentication_error":
        raise ChatMisconfigured(name, hint=f"Claude refuses ANTHROPIC_API_KEY ({name}).") from exc
    if status == 403 or kind == "permission_error":
        raise ChatMisconfigured(name, hint=f"Claude denies this to ANTHROPIC_API_KEY ({name}).") from exc
    if status == 404 or kind == "not_found_error":
        raise ChatMisconfigured(name, hint=f"Claude knows no model {model} at this address ({name}).") from exc
    if status in (400, 422) or kind == "invalid_request_error":
        hint = f"Claude refuses this request ({name})."
        raise ChatMisconfigured(name, hint=hint, about_request=True) from exc
    if 400 <= status < 500 and status not in _TRANSIENT:
        # The wrong address, a proxy that needs a password, a model that was retired: not an outage.
        raise ChatMisconfigured(name, hint=f"What is at Claude's address refuses this ({name}).") from exc
    raise ChatError(name) from exc
