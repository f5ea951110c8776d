"""Tools in requests to the Messages API: how they are offered, how a turn's calls are read, how results go back."""

import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.model import Asked, Call, Round, Tool
from bot.text.clean import clean

#: Tokens of the instructions that the service adds to a request with tools (some 350), which are billed.
INSTRUCTIONS = 1_000
#: Characters that the input of all calls of one turn may have, and the thoughts before them.
LONGEST = 100_000

#: What each type of delta adds to, by the name of its own field.
_GROWS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
}
#: Calls of our tools, and of those that the service runs itself.
_CALLS = ("tool_use", "server_tool_use")
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


def offered(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """The tools as a request offers them. The same tools are the same bytes: they begin what the cache holds."""
    return [
        {"name": tool.name, "description": tool.description, "input_schema": tool.schema, "strict": True}
        for tool in tools
    ]


def messages(rounds: Sequence[Round]) -> Iterator[dict[str, Any]]:
    """Each round as the assistant's turn, as it came, and one message with all its results, in order."""
    for each in rounds:
        yield {"role": "assistant", "content": list(each.asked.content)}
        if not each.asked.calls:  # the turn was paused, and goes on
            continue
        answers = zip(each.asked.calls, each.results, strict=True)
        yield {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": call.id, "content": clean(result.text)}
                | ({"is_error": True} if result.failed else {})
                for call, result in answers
            ],
        }


def used(request: Mapping[str, Any]) -> bool:
    """Whether a request holds calls of tools."""
    contents = (message["content"] for message in request["messages"])
    return any(block["type"] in _CALLS for content in contents if isinstance(content, list) for block in content)


class Turn:
    """Puts together the blocks of a streamed turn, to be sent back as they are, thoughts and signatures included.

    A compatible server may leave out parts, or send a call's input whole where the block starts.
    """

    def __init__(self) -> None:
        self._blocks: dict[Any, dict[str, Any]] = {}
        self._inputs: dict[Any, list[str]] = {}
        self._length = 0
        #: Whether the service has paused the turn, which goes on when it is sent back.
        self.paused = False

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """The blocks so far, in order."""
        return [self._blocks[index] for index in sorted(self._blocks)]

    @property
    def too_long(self) -> bool:
        """Whether there is more than a turn may hold besides its text."""
        return self._length > LONGEST

    def start(self, index: Any, block: Any) -> None:
        """A block starts."""
        to_dict = getattr(block, "to_dict", None)
        if to_dict is not None and isinstance(index, int):
            self._blocks[index] = to_dict()

    def grow(self, index: Any, delta: Any) -> None:
        """A block grows. Deltas that belong to no block, or that have another form, are ignored."""
        block = self._blocks.get(index) if isinstance(index, int) else None
        kind = getattr(delta, "type", None)
        if block is None or not isinstance(kind, str):
            return
        if kind == "input_json_delta" and isinstance(piece := getattr(delta, "partial_json", None), str):
            self._length += len(piece)
            self._inputs.setdefault(index, []).append(piece)
        elif kind == "citations_delta" and (to_dict := getattr(getattr(delta, "citation", None), "to_dict", None)):
            citations = block.get("citations")
            block["citations"] = [*(citations if isinstance(citations, list) else ()), to_dict()]
        elif kind in _GROWS:
            source, field = _GROWS[kind]
            if isinstance(piece := getattr(delta, source, None), str):
                self._length += len(piece) * (kind != "text_delta")
                before = block.get(field)
                block[field] = (before if isinstance(before, str) else "") + piece

    def asked(self) -> Asked | None:
        """What the turn asks of tools, nothing if it is only paused; None if it has ended."""
        calls: list[Call] = []
        content: list[dict[str, Any]] = []
        for index in sorted(self._blocks):
            block = self._blocks[index]
            if block.get("type") == "tool_use":
                call = self._call(index, block, {each.id for each in calls})
                calls.append(call)
                block = {**block, "id": call.id, "name": call.name, "input": call.arguments or {}}
            elif block.get("type") == "server_tool_use":
                block = {**block, "input": _arguments("".join(self._inputs.get(index, ())), block.get("input")) or {}}
            elif block.get("type") == "text":
                block = {**block, "text": clean(str(block.get("text") or ""))}
                if not block["text"].strip():  # which the service rejects
                    continue
            content.append(block)
        return Asked(tuple(calls), tuple(content)) if calls or (self.paused and content) else None

    def _call(self, index: int, block: dict[str, Any], taken: set[str]) -> Call:
        given, name = block.get("id"), block.get("name")
        known = isinstance(given, str) and _ID.fullmatch(given) and given not in taken
        call_id = str(given) if known else f"call_{secrets.token_hex(8)}"
        # The service rejects other names, which no tool of ours has.
        named = name if isinstance(name, str) and _ID.fullmatch(name) else "unnamed"
        return Call(call_id, named, _arguments("".join(self._inputs.get(index, ())), block.get("input")))


def _arguments(pieces: str, given: Any) -> dict[str, Any] | None:
    """A call's input; None if it isn't an object in JSON. A tool without parameters may be called without any."""
    if pieces.strip():
        try:
            given = json.loads(pieces)
        except (ValueError, RecursionError):
            return None
    elif given is None:
        return {}
    return _cleaned(given) if isinstance(given, dict) else None


def _cleaned(value: Any) -> Any:
    """The value without what UTF-8 can't encode: JSON's escapes may hold half a sign."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(name)): _cleaned(each) for name, each in value.items()}
    return [_cleaned(each) for each in value] if isinstance(value, list) else value
