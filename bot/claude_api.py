"""What every request to Claude shares: the SDK's client, and not thinking first.

The 5.x models think before they answer unless told otherwise, which costs seconds before the first visible word, and
its tokens count toward `max_tokens`. There is no one way to turn it off (platform.claude.com, "thinking
troubleshooting", November 2026): Sonnet 5.5 takes `between_tools` in place of `disabled`, Opus 5.5 and Fable 5.1 always
think (least at low effort), all others take `disabled`.
"""

import logging
from typing import Any

import anthropic
import httpx2

from bot.config import Settings

#: Room for every answer and extraction of a busy moment; idle connections are kept for the next message.
LIMITS = httpx2.Limits(max_connections=2000, max_keepalive_connections=400)
RETRIES = 2

_ALWAYS = ("opus-5-5", "fable-5", "mythos-5")
_TOO_LONG = ("too long", "context window", "context limit", "too many tokens", "maximum context")


def client(settings: Settings, timeout: httpx2.Timeout) -> anthropic.AsyncAnthropic:
    """The SDK's client for these settings. Everything is passed, so that it looks for no credentials elsewhere."""
    key = settings.anthropic_api_key
    made = anthropic.AsyncAnthropic(
        api_key=key.get_secret_value() if key else "",
        base_url=settings.anthropic_base_url or "https://api.anthropic.com",
        timeout=timeout,
        max_retries=RETRIES,
        # The SDK's transport over aiohttp. Its default one looks through the whole pool at each request: ran, 200
        # answers at once cost 5 to 6 ms of processor time each, over aiohttp 2.
        http_client=anthropic.DefaultAioHttpClient(limits=LIMITS, timeout=timeout),
    )
    # At DEBUG the SDK logs whole requests, and ANTHROPIC_LOG turns that on.
    logging.getLogger("anthropic").setLevel(logging.INFO)
    return made


def is_too_long(exc: anthropic.APIStatusError) -> bool:
    """Whether the service says that the request is more than it can take."""
    if exc.status_code == 413:
        return True
    said = (exc.api_message or exc.message).lower()
    return exc.status_code == 400 and any(words in said for words in _TOO_LONG)


class Thinking:
    """The request parameters that keep one model from thinking."""

    def __init__(self, model: str) -> None:
        self.params: dict[str, Any]
        if any(name in model for name in _ALWAYS):
            self.params = {"output_config": {"effort": "low"}}
        elif "sonnet-5-5" in model:
            self.params = {"thinking": {"type": "between_tools"}}
        else:
            self.params = {"thinking": {"type": "disabled"}}

    def refused(self, status: int, message: str) -> bool:
        """Whether a request was refused for these parameters; from then on they are left out.

        A model that is newer than this list, or a compatible server that knows no thinking, still answers so.
        """
        if status != 400 or not self.params or not ("thinking" in message or "effort" in message):
            return False
        self.params = {}
        return True
