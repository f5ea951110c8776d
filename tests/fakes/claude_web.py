"""Anthropic's search of the web on loopback, after its documentation: what is refused, and how looks are streamed.

A look is a `server_tool_use` block and its result, in the assistant's own turn; text that rests on it cites it.
The content of results is encrypted: it must come back as it was sent.
https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool, and web-fetch-tool there.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

#: As it starts, the whole text of its deltas, and as it ends.
Block = tuple[Json, list[Json], Json]

#: Tokens that each look adds to what a request reads.
READ = 1_000
SEARCH, FETCH = "web_search_20260318", "web_fetch_20260318"


@dataclass(frozen=True)
class Found:
    """A page: its address, its title, and what stands there."""

    url: str
    title: str
    text: str = "What stands there."


@dataclass(frozen=True)
class Look:
    """A search for a query (`found` are its results), or the page at an address, which is fetched."""

    query: str
    found: tuple[Found, ...] = ()
    fetch: bool = False
    error: str = ""


def sealed(found: Found) -> str:
    """A result's content as only the service can read it."""
    return hashlib.sha256(f"{found.url}\n{found.text}".encode()).hexdigest()


def paused(message: Json) -> bool:
    """Whether a turn may be sent back to be continued: it has looked at the web."""
    content = message["content"]
    return isinstance(content, list) and any(block["type"] == "server_tool_use" for block in content)


def usage(looks: tuple[Look, ...]) -> Json:
    """What a turn's usage says of them: an error isn't billed."""
    if not looks:
        return {}
    counts = [sum(look.fetch is fetch and not look.error for look in looks) for fetch in (False, True)]
    return {"server_tool_use": {"web_search_requests": counts[0], "web_fetch_requests": counts[1]}}


def added(turn: list[Block], looks: tuple[Look, ...], call: int) -> list[Block]:
    """The turn with its looks before its first text, which cites them. `call` makes their ids unique."""
    place = next((at for at, (start, _, _) in enumerate(turn) if start["type"] == "text"), len(turn))
    cited = _citations(looks)
    after = turn[place:]
    if after and cited:
        start, deltas, end = after[0]
        more: list[Json] = [{"type": "citations_delta", "citation": each} for each in cited]
        after[0] = {**start, "citations": []}, [*deltas, *more], {**end, "citations": cited}
    return [*turn[:place], *_blocks(looks, 100 * call), *after]


def _blocks(looks: tuple[Look, ...], first: int) -> list[Block]:
    """The blocks of looks, numbered from `first`: as each starts, the text of its deltas, and as it ends."""
    turn: list[Block] = []
    for number, look in enumerate(looks, first):
        name, use = "web_fetch" if look.fetch else "web_search", f"srvtoolu_{number:02}"
        given = {"url": look.query} if look.fetch else {"query": look.query}
        start: Json = {"type": "server_tool_use", "id": use, "name": name, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(given)}
        turn.append((start, [delta], {**start, "input": given}))
        result = {"type": f"{name}_tool_result", "tool_use_id": use, "content": _result(look)}
        turn.append((result, [], result))
    return turn


def _citations(looks: tuple[Look, ...]) -> list[Json]:
    """What a text that rests on all results cites."""
    return [
        {
            "type": "web_search_result_location",
            "url": found.url,
            "title": found.title,
            "cited_text": found.text,
            "encrypted_index": sealed(found),
        }
        for look in looks
        if not look.fetch
        for found in look.found
    ]


def _result(look: Look) -> Any:
    name = "web_fetch" if look.fetch else "web_search"
    if look.error:
        return {"type": f"{name}_tool_result_error", "error_code": look.error}
    if look.fetch:
        (page,) = look.found
        source = {"type": "text", "media_type": "text/plain", "data": page.text}
        document = {"type": "document", "source": source, "title": page.title}
        return {"type": "web_fetch_result", "url": page.url, "content": document}
    return [
        {"type": "web_search_result", "url": found.url, "title": found.title, "encrypted_content": sealed(found)}
        for found in look.found
    ]


def problem(request: Json) -> str:
    """What a request is refused for; empty if it isn't."""
    offered = {tool.get("type"): tool for tool in request.get("tools") or []}
    for kind, name in ((SEARCH, "web_search"), (FETCH, "web_fetch")):
        tool = offered.get(kind)
        if tool is None:
            continue
        if tool.get("name") != name:
            return f"tools: the name of {kind} must be {name}"
        if tool.get("allowed_callers") != ["direct"]:
            return "tools: code execution is needed for callers other than 'direct'"
        if "input_schema" in tool or tool.get("max_uses", 1) < 1:
            return f"tools: {kind} takes no schema, and max_uses must be positive"
    return _history(request["messages"], set(offered))


def _history(messages: list[Json], offered: set[Any]) -> str:
    for message in messages:
        content = message["content"] if isinstance(message["content"], list) else []
        calls = [block for block in content if block["type"] == "server_tool_use"]
        if calls and message["role"] != "assistant":
            return "`server_tool_use` blocks are the assistant's"
        if calls and not offered & {SEARCH, FETCH}:
            return "Requests which include `server_tool_use` blocks must define their tools."
        if any(not isinstance(block.get("input"), dict) or not block["input"] for block in calls):
            return "server_tool_use.input: Input should be an object, and hold what was asked"
        ids = {block["id"] for block in calls}
        for block in content:
            if block["type"].startswith("web_") and block.get("tool_use_id") not in ids:
                return "a result of the web without its `server_tool_use` block"
            results = block["content"] if block["type"] == "web_search_tool_result" else ()
            if isinstance(results, list) and any(len(found.get("encrypted_content", "")) != 64 for found in results):
                return "encrypted_content: was altered"
    return ""
