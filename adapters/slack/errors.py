"""Classifies errors of Slack calls, without quoting what was sent or answered."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

import aiohttp
from slack_sdk.errors import SlackClientError

from bot.ports import PlatformRefused

#: Everything that a Web API call may raise: Slack's refusals, network errors, time-outs.
SLACK_ERRORS = (SlackClientError, aiohttp.ClientError, TimeoutError, OSError)

#: Slack's errors for a token that no retry will make work.
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

#: Slack's errors for a method that the token or the workspace doesn't have at all.
UNSUPPORTED = frozenset(
    {
        "missing_scope",
        "unknown_method",
        "not_allowed_token_type",
        "feature_not_enabled",
        "no_permission",
        "method_deprecated",
        "deprecated_endpoint",
    }
)


class Refusal(Enum):
    """What a refusal is about, and so what can still be tried."""

    #: Nothing permanent: the same call may work later.
    TRANSIENT = "transient"
    #: The form of the message: its blocks, its metadata, or something unknown. A plainer form may be accepted.
    FORM = "form"
    #: Its length: a shorter part may be accepted.
    LENGTH = "length"
    #: The message can't be edited; a new one may be accepted.
    EDIT = "edit"
    #: The message to be edited or deleted no longer exists.
    GONE = "gone"
    #: The thread: a message outside it may be accepted.
    THREAD = "thread"
    #: The channel, the person or the app: nothing will be accepted there.
    PLACE = "place"


def _table(codes: dict[Refusal, str]) -> dict[str, Refusal]:
    return {name: refusal for refusal, names in codes.items() for name in names.split()}


#: Slack's error codes, by what can still be tried. Codes that aren't listed count as `Refusal.FORM`: refused for good
#: unless a plainer form is accepted.
REFUSALS = _table(
    {
        Refusal.TRANSIENT: """
            ratelimited rate_limited internal_error fatal_error service_unavailable request_timeout update_failed
            messaging_processing_failed
            team_added_to_org org_login_required external_channel_migrating
            """,
        Refusal.FORM: """
            invalid_blocks invalid_blocks_format msg_blocks_too_long block_mismatch invalid_attachments
            too_many_attachments markdown_text_conflict invalid_arguments no_text
            invalid_metadata_format invalid_metadata_schema metadata_too_large metadata_must_be_sent_from_app
            """,
        Refusal.LENGTH: "msg_too_long",
        Refusal.EDIT: """
            cant_update_message edit_window_closed streaming_state_conflict message_not_owned_by_app
            cant_broadcast_message no_dual_broadcast_content_update
            """,
        Refusal.GONE: "message_not_found",
        Refusal.THREAD: "restricted_action_non_threadable_channel cannot_reply_to_message",
        Refusal.PLACE: """
            channel_not_found not_in_channel is_archived is_inactive user_not_in_channel channel_type_not_supported
            restricted_action restricted_action_read_only_channel restricted_action_thread_only_channel
            restricted_action_thread_locked thread_locked thread_not_found msg_blocked messages_tab_disabled
            message_limit_exceeded ekm_access_denied access_denied accesslimited enterprise_is_restricted
            slack_connect_blocked slack_connect_file_link_sharing_blocked team_not_found
            user_not_found user_not_visible user_disabled users_not_found cannot_dm_bot invalid_user_combination
            invalid_auth not_authed account_inactive token_revoked token_expired not_allowed_token_type missing_scope
            no_permission team_access_not_granted two_factor_setup_required is_bot no_access
            unknown_method method_deprecated deprecated_endpoint
            """,
    }
)

_ARCHIVED = "I have an answer for you, but this channel is archived, so I can't post it."
_LOCKED = "I have an answer for you, but this thread is locked, so I can't post it."
_RESTRICTED = "I have an answer for you, but this workspace doesn't let me post here."
_OUTSIDE = "I have an answer for you, but I'm not a member of this channel, so I can't post it."
_UNSHOWN = "I have an answer for you, but Slack doesn't accept it, so I can't post it."
#: What the person is told instead of an answer, unless it is `PlatformRefused.sentence`.
SENTENCES = {
    "is_archived": _ARCHIVED,
    "is_inactive": _ARCHIVED,
    "thread_locked": _LOCKED,
    "restricted_action_thread_locked": _LOCKED,
    "not_in_channel": _OUTSIDE,
    "channel_not_found": _OUTSIDE,
    "no_permission": _OUTSIDE,
    "restricted_action": _RESTRICTED,
    "restricted_action_read_only_channel": _RESTRICTED,
    "restricted_action_thread_only_channel": _RESTRICTED,
    "restricted_action_non_threadable_channel": _RESTRICTED,
    "msg_blocked": _RESTRICTED,
    "ekm_access_denied": _RESTRICTED,
}


class PaceExceeded(SlackClientError):
    """A method's rate limit is used up for `delay` seconds, so the call wasn't made."""

    def __init__(self, delay: float) -> None:
        super().__init__("rate limit")
        self.delay = delay


def code(error: BaseException) -> str:
    """Slack's own code for the error if it gave one, else the HTTP status or the error's type."""
    response = getattr(error, "response", None)
    data = getattr(response, "data", None)
    if isinstance(data, dict) and isinstance(data.get("error"), str):
        return str(data["error"])
    status = getattr(response, "status_code", getattr(response, "status", None))
    return f"HTTP {status}" if isinstance(status, int) else type(error).__name__


def refusal(error: BaseException) -> Refusal:
    """What can still be tried after one of SLACK_ERRORS."""
    if not isinstance(error, SlackClientError) or isinstance(error, PaceExceeded):
        return Refusal.TRANSIENT
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", getattr(response, "status", 0))
    named = code(error)
    if isinstance(status, int) and (status == 429 or status >= 500):
        return Refusal.TRANSIENT
    if named == f"HTTP {status}":
        return Refusal.TRANSIENT  # not from Slack, which names an error, but from a proxy or gateway
    return REFUSALS.get(named, Refusal.FORM)


def is_transient(error: BaseException) -> bool:
    """Whether the same call may work a moment later."""
    return refusal(error) is Refusal.TRANSIENT


def is_rate_limited(error: BaseException) -> bool:
    """Whether Slack refused the call because of a rate limit, and did nothing."""
    response = getattr(error, "response", None)
    return code(error) in ("ratelimited", "rate_limited") or getattr(response, "status_code", 0) == 429


def refused(error: BaseException) -> PlatformRefused:
    """A permanent refusal as the core knows it."""
    named = code(error)
    sentence = SENTENCES.get(named, "" if refusal(error) is Refusal.PLACE else _UNSHOWN)
    return PlatformRefused(named, sentence)


@contextmanager
def outage() -> Iterator[None]:
    """Translate errors for the core: ConnectionError if a retry may succeed, else PlatformRefused."""
    try:
        yield
    except SLACK_ERRORS as exc:
        if is_transient(exc):
            raise ConnectionError(f"Slack: {code(exc)}") from exc
        raise refused(exc) from exc


def never_sent(error: BaseException) -> bool:
    """Whether Slack can't have received the call, or said that it did nothing."""
    return isinstance(error, aiohttp.ClientConnectorError | PaceExceeded) or is_rate_limited(error)


def retry_after(error: BaseException) -> float:
    """Seconds to wait according to Slack or our own pace, an hour at most; 0 if unknown."""
    if isinstance(error, PaceExceeded):
        return error.delay
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        return min(max(0.0, float(headers.get("Retry-After", 0))), 3600.0)
    except (TypeError, ValueError):
        return 0.0
