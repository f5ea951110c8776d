"""Parameters that a request can do without, and models that don't take them.

The 5.x models think before they answer unless told otherwise, which costs seconds before the first visible word, and
its tokens count toward `max_tokens`. There is no one way to turn it off (platform.claude.com, "thinking
troubleshooting", November 2026): Sonnet 5.5 takes `between_tools` in place of `disabled`, Opus 5.5 and Fable 5.1 always
think (least at low effort), all others take `disabled`.

A model newer than this list, or behind a compatible server, may refuse that, a JSON schema, a cache mark, or the length
asked for. It is then asked without, and from then on always so, where that is what it was.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anthropic

from bot.chat.errors import about_content, is_too_long, is_unpaid, said

log = logging.getLogger(__name__)

Answered = TypeVar("Answered")

#: Tokens of an answer that the oldest model still served writes.
LEAST_MOST_TOKENS = 4096

_ALWAYS = ("opus-5-5", "fable-5", "mythos-5")
_THINKING, _SCHEMA, _CACHE, _LENGTH = "thinking", "schema", "cache_control", "max_tokens"
#: Words by which an error names what it refuses.
_NAMED = {
    _THINKING: ("thinking", "effort", "output_config"),
    _SCHEMA: ("output_config", "output_format", "schema", "structured output", "response_format"),
    _CACHE: ("cache",),
    _LENGTH: ("max_tokens",),
}


class Params:
    """Completes requests to one model.

    Args:
        schema: The JSON schema of its answers, None for text.
    """

    def __init__(self, model: str, schema: dict[str, Any] | None = None) -> None:
        self._model = model
        self._schema = schema
        self._dropped: frozenset[str] = frozenset()
        self._proven = False

    @property
    def thinks(self) -> bool:
        """Whether the model can't be kept from thinking."""
        return _THINKING in self._dropped or "thinking" not in self._quiet()

    async def send(self, request: dict[str, Any], create: Callable[..., Awaitable[Answered]]) -> Answered:
        """Ask with everything that the model takes; raises what `create` raises where nothing can be left out."""
        without = self._dropped
        while True:
            try:
                answered = await create(**self._complete(request, without))
            except anthropic.APIStatusError as exc:
                refused = self._refused(exc, request, without)
                if not refused:
                    raise
                without |= refused
            else:
                if without != self._dropped:
                    names = ", ".join(sorted(without - self._dropped))
                    log.warning("%s doesn't accept these parameters, omitting them: %s", self._model, names)
                    self._dropped = without
                self._proven = True
                return answered

    def _quiet(self) -> dict[str, Any]:
        """What keeps the model from thinking first."""
        if any(name in self._model for name in _ALWAYS):
            return {"output_config": {"effort": "low"}}
        if "sonnet-5-5" in self._model:
            return {"thinking": {"type": "between_tools"}}
        return {"thinking": {"type": "disabled"}}

    def _complete(self, request: dict[str, Any], without: frozenset[str]) -> dict[str, Any]:
        whole = {**request, "model": self._model}
        if _THINKING not in without:
            whole |= self._quiet()
        if self._schema is not None and _SCHEMA not in without:
            schema = {"format": {"type": "json_schema", "schema": self._schema}}
            whole["output_config"] = {**whole.get("output_config", {}), **schema}
        if _CACHE in without and isinstance(whole.get("system"), list):
            whole["system"] = [
                {name: value for name, value in block.items() if name != "cache_control"} for block in whole["system"]
            ]
        if _LENGTH in without:
            whole["max_tokens"] = min(whole["max_tokens"], LEAST_MOST_TOKENS)
        return whole

    def _refused(
        self, exc: anthropic.APIStatusError, request: dict[str, Any], without: frozenset[str]
    ) -> frozenset[str]:
        """Which of the parameters sent the service refuses, none where it is something else that it refuses."""
        if exc.status_code not in (400, 422) or is_too_long(exc) or is_unpaid(exc) or about_content(exc):
            return frozenset()
        sent = {_THINKING} | ({_SCHEMA} if self._schema is not None else set())
        if isinstance(request.get("system"), list):
            sent.add(_CACHE)
        if request["max_tokens"] > LEAST_MOST_TOKENS:
            sent.add(_LENGTH)
        left = frozenset(sent) - without
        words = said(exc)
        named = frozenset(name for name in left if any(word in words for word in _NAMED[name]))
        # Some servers don't say what they refuse. A model that has taken all of it before does take it.
        return named or (frozenset() if self._proven else left)
