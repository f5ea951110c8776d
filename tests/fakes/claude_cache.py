"""The prompt cache of the Messages API, after its documentation: what a request reads, writes, and is billed in full.

A prefix matches byte for byte, in the order tools, system, messages, marks apart. Each mark writes the prefix up to its
block; a request reads the longest prefix that ends at a mark, or at most 20 blocks before one, and that was written or
read within the last five minutes. Prefixes below the model's minimum aren't kept. Beyond the system prompt the choice
of tools, thinking, and whether there are pictures count too.
https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.fakes import claude_files

Json = dict[str, Any]

TTL = 300.0
MARKS = 4
LOOK_BACK = 20
#: The least tokens that a prefix must have, by model.
MINIMUM = {"-5-5": 512, "-5-1": 512, "opus-4": 4096, "haiku-4": 4096, "haiku-3": 2048}
OTHERWISE = 1024


class Block(NamedTuple):
    """A block of a request: the digest of everything up to its end, the tokens up to there, whether it is marked."""

    digest: str
    tokens: int
    marked: bool


class Billed(NamedTuple):
    """The tokens of a prompt, by price."""

    input: int
    read: int
    written: int


def marks(request: Json) -> list[Json]:
    """The marked blocks of a request."""
    return [block for _, _, block in _parts(request) if "cache_control" in block]


def problem(request: Json) -> str:
    """Why a request's marks are refused; empty if they aren't."""
    marked = marks(request)
    if len(marked) > MARKS:
        return f"A maximum of {MARKS} blocks with cache_control may be provided. Found {len(marked)}."
    if any(block["cache_control"].get("type") != "ephemeral" for block in marked):
        return "cache_control.type: Input should be 'ephemeral'"
    if any(block.get("type") == "text" and not block["text"] for block in marked):
        return "cache_control cannot be set for empty text blocks"
    return ""


class Cache:
    """What has been written, and when it was last used."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._used: dict[str, float] = {}

    def bill(self, request: Json) -> Billed:
        """Bill a prompt, and keep what it marks."""
        now = self._clock()
        blocks = list(_chain(request))
        whole = blocks[-1].tokens if blocks else 0
        least = next((tokens for name, tokens in MINIMUM.items() if name in str(request["model"])), OTHERWISE)
        ends = [index for index, block in enumerate(blocks) if block.marked and block.tokens >= least]
        near = {index for end in ends for index in range(max(0, end - LOOK_BACK), end + 1)}
        found = [index for index in near if now - self._used.get(blocks[index].digest, -TTL - 1) <= TTL]
        read = blocks[max(found)] if found else None
        for index in [*found, *ends]:
            self._used[blocks[index].digest] = now
        hit, end = read.tokens if read else 0, blocks[ends[-1]].tokens if ends else 0
        return Billed(whole - max(hit, end), hit, max(0, end - hit))


def _parts(request: Json) -> Iterator[tuple[str, str, Json]]:
    """The blocks in the cache's order: where each stands, what of the request it depends on besides, and itself."""
    for tool in request.get("tools") or []:
        yield "tools", "", tool
    system = request.get("system") or []
    for block in [{"type": "text", "text": system}] if isinstance(system, str) else system:
        yield "system", "", block
    pictures = bool(claude_files.blocks(request, "image"))
    besides = json.dumps([request.get("tool_choice"), request.get("thinking"), pictures])
    for index, message in enumerate(request["messages"]):
        content = message["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            yield f"{index} {message['role']}", besides, block


def _chain(request: Json) -> Iterator[Block]:
    digest, tokens, characters = hashlib.sha256(str(request["model"]).encode()), 0, 0
    for place, besides, block in _parts(request):
        plain = {name: value for name, value in block.items() if name != "cache_control"}
        digest.update(json.dumps([place, besides, plain]).encode())
        if block.get("type") in ("image", "document"):
            tokens += claude_files.tokens({"messages": [{"content": [block]}]})
        elif block.get("type") == "text":
            characters += len(block["text"])
        else:
            characters += len(json.dumps(plain))
        yield Block(digest.hexdigest(), tokens + characters // 4, "cache_control" in block)
