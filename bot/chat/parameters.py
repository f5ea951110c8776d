"""Optional request parameters, and models that don't accept them.

The 5.x models think before they answer unless told otherwise, which costs seconds before the first visible word, and
the thoughts count toward `max_tokens`. There is no one way to turn that off (platform.claude.com, "thinking
troubleshooting", November 2026): Sonnet 5.5 takes `between_tools` instead of `disabled`, Opus 5.5 and Fable 5.1 always
think (least at low effort), all others take `disabled`.

A model newer than this list, or behind a compatible server, may reject that, a JSON schema, cache marks (and the blocks
that carry them), tools (or only the search of the web, or that schemas are strict), or the output limit. The request is
then sent without it and, if that helps, so are all later ones.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import anthropic

from bot.chat import tools, web
from bot.chat.errors import about_content, error_text, is_too_long, is_unpaid
from bot.chat.request import marked, unmarked

log = logging.getLogger(__name__)

Answered = TypeVar("Answered")

#: The output limit, in tokens, of the oldest model still served.
SMALLEST_OUTPUT_LIMIT = 4096

_ALWAYS = ("opus-5-5", "fable-5", "mythos-5")
_THINKING, _SCHEMA, _CACHE, _LENGTH = "thinking", "schema", "cache_control", "max_tokens"
_TOOLS, _STRICT, _WEB = "tools", "strict", "web"
#: Words that name each parameter in an error.
_NAMED = {
    _THINKING: ("thinking", "effort", "output_config"),
    _SCHEMA: ("output_config", "output_format", "schema", "structured output", "response_format"),
    _CACHE: ("cache",),
    _LENGTH: ("max_tokens",),
    _TOOLS: ("tool", "function"),
    _STRICT: ("strict",),
    _WEB: ("web_search", "web_fetch", "web search", "web fetch"),
}


class Params:
    """Adds the parameters that one model accepts to requests.

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

    async def send(
        self,
        request: dict[str, Any],
        create: Callable[..., Awaitable[Answered]],
        toolless: Mapping[str, Any] | None = None,
    ) -> Answered:
        """Send the request with every parameter that the model accepts; raise `create`'s error if none is at fault.

        `toolless` is what a request without tools holds instead.
        """
        without = self._dropped
        while True:
            try:
                answered = await create(**self._complete(request, without, toolless or {}))
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
        """The parameter that keeps the model from thinking first."""
        if any(name in self._model for name in _ALWAYS):
            return {"output_config": {"effort": "low"}}
        if "sonnet-5-5" in self._model:
            return {"thinking": {"type": "between_tools"}}
        return {"thinking": {"type": "disabled"}}

    def _complete(
        self, request: dict[str, Any], without: frozenset[str], toolless: Mapping[str, Any]
    ) -> dict[str, Any]:
        whole = {**request, "model": self._model}
        if _TOOLS in without and "tools" in whole and not tools.used(whole):
            del whole["tools"]
            whole |= toolless
        elif _STRICT in without and "tools" in whole:
            whole["tools"] = [
                {name: value for name, value in tool.items() if name != "strict"} for tool in whole["tools"]
            ]
        if _WEB in without:
            whole = web.without(whole)
        if _THINKING not in without:
            whole |= self._quiet()
        if self._schema is not None and _SCHEMA not in without:
            schema = {"format": {"type": "json_schema", "schema": self._schema}}
            whole["output_config"] = {**whole.get("output_config", {}), **schema}
        if _CACHE in without:
            whole = unmarked(whole)
        if _LENGTH in without:
            whole["max_tokens"] = min(whole["max_tokens"], SMALLEST_OUTPUT_LIMIT)
        return whole

    def _refused(
        self, exc: anthropic.APIStatusError, request: dict[str, Any], without: frozenset[str]
    ) -> frozenset[str]:
        """Which of the parameters sent the service rejects; none if it rejects something else."""
        if exc.status_code not in (400, 422) or is_too_long(exc) or is_unpaid(exc) or about_content(exc):
            return frozenset()
        sent = {_THINKING} | ({_SCHEMA} if self._schema is not None else set())
        if marked(request):
            sent.add(_CACHE)
        if request["max_tokens"] > SMALLEST_OUTPUT_LIMIT:
            sent.add(_LENGTH)
        # With results of tools in it, a request needs the tools; the model has accepted them before.
        if "tools" in request and not tools.used(request):
            sent |= {_TOOLS, _STRICT, *((_WEB,) if any(map(web.is_offered, request["tools"])) else ())}
        left = frozenset(sent) - without
        words = error_text(exc)
        named = frozenset(name for name in left if any(word in words for word in _NAMED[name]))
        if named & {_STRICT, _WEB}:  # "tools.0.strict" names both
            named -= {_TOOLS}
        # Some servers don't say what they reject. A model that has accepted all parameters before still does.
        return named or (frozenset() if self._proven else left)
