"""Retries of the calls that show an answer."""

import asyncio
import logging

from adapters.slack.errors import code, is_rate_limited, is_transient
from bot.aio.backoff import Backoff

log = logging.getLogger(__name__)

#: Attempts at a call with transient errors, and at one that is rate-limited.
TRIES = 4
BACKOFF = Backoff(first=1.0)
TRIES_LIMITED = 20


class CannotEdit(Exception):
    """A message can't be edited, or not soon: its new text has to be posted separately."""


async def again(event_id: str, failure: BaseException, attempt: int, method: str) -> None:
    """Wait for the next attempt; raise the failure if there is none."""
    if not is_transient(failure) or attempt >= (TRIES_LIMITED if is_rate_limited(failure) else TRIES):
        raise failure
    log.warning("%s: %s failed (try %d): %s", event_id, method, attempt, code(failure))
    if not is_rate_limited(failure):
        await asyncio.sleep(BACKOFF.after(attempt))
