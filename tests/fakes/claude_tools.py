"""Tools in the Messages API on loopback, as strict as its documentation: what is refused, and how calls are streamed.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use, and strict-tool-use there.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

#: The tokens of the instructions that come with tools.
INSTRUCTIONS = 346
#: Most tools with a strict schema in a request, and their optional parameters together.
STRICT, OPTIONAL = 20, 24
NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
ID = re.compile(r"[a-zA-Z0-9_-]+")
#: What strict schemas may not hold.
UNSUPPORTED = {"minimum", "maximum", "multipleOf", "minLength", "maxLength", "maxItems", "uniqueItems", "oneOf"}


@dataclass(frozen=True)
class Calling:
    """A call in an answer: its input is an object, or raw text that is streamed as it is.

    `id` is the server's own if it is None; "" leaves it out, as a compatible server may. With `whole`, the input stands
    in the block's start.
    """

    name: str
    input: Json | str
    id: str | None = None
    whole: bool = False

    @property
    def json(self) -> str:
        """The input as it is streamed."""
        return self.input if isinstance(self.input, str) else json.dumps(self.input)


def sign(thinking: str) -> str:
    """The signature of a thought."""
    return hashlib.sha256(f"signed:{thinking}".encode()).hexdigest()


def results(request: Json) -> list[tuple[str, bool]]:
    """What tools have answered in a request: each text, and whether it is an error."""
    contents = [message["content"] for message in request["messages"] if isinstance(message["content"], list)]
    blocks = [block for content in contents for block in content if block["type"] == "tool_result"]
    return [(block["content"], bool(block.get("is_error"))) for block in blocks]


def answers_tools(message: Json) -> bool:
    """Whether a message holds results of tools."""
    content = message["content"]
    return isinstance(content, list) and any(block["type"] == "tool_result" for block in content)


class Tools:
    """What the server has to do with tools. Remembers the turns that it ended with calls."""

    def __init__(self) -> None:
        self._turns: dict[str, list[Json]] = {}
        self._count = 0

    def blocks(self, thinking: str, text: str, calls: tuple[Calling, ...]) -> list[tuple[Json, list[Json], Json]]:
        """The blocks of a turn: as each starts, the whole text of its deltas, and as it ends."""
        turn: list[tuple[Json, list[Json], Json]] = []
        start: Json
        deltas: list[Json]
        if thinking:
            deltas = [
                {"type": "thinking_delta", "thinking": thinking},
                {"type": "signature_delta", "signature": sign(thinking)},
            ]
            thought = {"type": "thinking", "thinking": thinking, "signature": sign(thinking)}
            turn.append(({"type": "thinking", "thinking": "", "signature": ""}, deltas, thought))
        if text or not calls:
            deltas = [{"type": "text_delta", "text": text}] if text else []
            turn.append(({"type": "text", "text": ""}, deltas, {"type": "text", "text": text}))
        for call in calls:
            self._count += 1
            call_id = f"toolu_{self._count:02}" if call.id is None else call.id
            start = {"type": "tool_use", "id": call_id, "name": call.name, "input": {}}
            if not call_id:
                del start["id"]
            end: Json = {**start, "input": call.input}
            given: Json = {"type": "input_json_delta", "partial_json": call.json}
            turn.append((end, [], end) if call.whole else (start, [given], end))
        whole = [end for _, _, end in turn]
        if all(call.id is None for call in calls):  # else the bot must give them ids of their own
            self._turns |= {block["id"]: whole for block in whole if block.get("id")}
        return turn

    def problem(self, request: Json) -> str:
        """What a request is refused for; empty if it isn't."""
        tools = request.get("tools") or []
        return _choice(request, bool(tools)) or _offered(tools) or self._history(request["messages"], bool(tools))

    def _history(self, messages: list[Json], offered: bool) -> str:
        open_ids: list[str] = []
        seen: set[str] = set()
        for index, message in enumerate(messages):
            content = message["content"] if isinstance(message["content"], list) else []
            calls = [block for block in content if block["type"] == "tool_use"]
            answers = [block for block in content if block["type"] == "tool_result"]
            if (calls or answers) and not offered:
                return "Requests which include `tool_use` or `tool_result` blocks must define tools."
            ids = [block.get("tool_use_id") for block in answers]
            if missing := [each for each in open_ids if each not in ids]:
                return f"`tool_use` ids were found without `tool_result` blocks immediately after: {missing[0]}."
            if odd := [each for each in ids if each not in open_ids]:
                return f"messages.{index}: unexpected `tool_use_id` found in `tool_result` blocks: {odd[0]}."
            if len(set(ids)) != len(ids):
                return "each tool_use must have a single result."
            if [block["type"] for block in content[: len(answers)]] != ["tool_result"] * len(answers):
                return f"messages.{index}: `tool_result` blocks must come first in the content."
            if any(block.get("is_error") and not block.get("content") for block in answers):
                return "content cannot be empty if `is_error` is true"
            if (calls and message["role"] != "assistant") or (answers and message["role"] != "user"):
                return f"messages.{index}: `tool_use` blocks are the assistant's, `tool_result` blocks the user's."
            open_ids = [str(block.get("id")) for block in calls]
            if any(not ID.fullmatch(each) for each in open_ids) or seen & {*open_ids}:
                return "`tool_use` ids must be unique, and match '^[a-zA-Z0-9_-]+$'"
            if any(not isinstance(block.get("input"), dict) for block in calls):
                return f"messages.{index}: tool_use.input: Input should be an object"
            seen |= {*open_ids}
            if altered := self._altered(content, calls):
                return f"messages.{index}: {altered}"
        return f"`tool_use` ids were found without `tool_result` blocks: {open_ids[0]}." if open_ids else ""

    def _altered(self, content: list[Json], calls: list[Json]) -> str:
        """Why a turn that comes back isn't the one that was sent; empty if it is. Unreadable input aside."""
        written = next((self._turns[block["id"]] for block in calls if block["id"] in self._turns), None)
        if written is None:
            return ""
        thoughts = [[block for block in turn if "thinking" in block["type"]] for turn in (written, content)]
        if thoughts[0] != thoughts[1] or content[: len(thoughts[0])] != thoughts[0]:
            return "`thinking` blocks in the latest assistant message cannot be modified."
        mine = [block for block in written if not isinstance(block.get("input"), str)]
        if any(block not in content for block in mine if block["type"] != "text" or block["text"].strip()):
            return "a turn came back altered"  # a test's own demand: the service can't tell
        return ""


def _choice(request: Json, offered: bool) -> str:
    choice = (request.get("tool_choice") or {}).get("type")
    if choice and not offered:
        return "tool_choice may only be specified while providing tools."
    if choice in ("any", "tool") and "sonnet-5-5" in str(request.get("model")):
        return f'tool_choice "{choice}" is not supported for this model.'
    return ""


def _offered(tools: list[Json]) -> str:
    names = [tool.get("name") for tool in tools]
    if len(set(names)) != len(names):
        return "tools: Tool names must be unique."
    strict = [tool for tool in tools if tool.get("strict")]
    optional = 0
    for tool in tools:
        if "type" in tool:  # one of the service's own
            continue
        schema = tool.get("input_schema")
        if not NAME.fullmatch(str(tool.get("name"))) or not isinstance(schema, dict) or schema.get("type") != "object":
            return f"tools.{names.index(tool.get('name'))}.custom: a name and an object's schema are required"
        if tool not in strict:
            continue
        properties, required = schema.get("properties", {}), schema.get("required", [])
        optional += len(set(properties) - set(required))
        if schema.get("additionalProperties") is not False:
            return "tools: For 'object' type, 'additionalProperties' must be explicitly set to false"
        if set(required) - set(properties):
            return "tools: a required property isn't defined"
        if bad := UNSUPPORTED & {*_keywords(schema)}:
            return f"tools: property '{min(bad)}' is not supported with strict"
    if len(strict) > STRICT or optional > OPTIONAL:
        return "tools: Schemas contain too many strict tools or optional parameters"
    return ""


def _keywords(schema: Any) -> Iterator[str]:
    for name, value in schema.items() if isinstance(schema, dict) else ():
        if name == "properties":
            for each in value.values():
                yield from _keywords(each)
        else:
            yield name
            yield from _keywords(value)
