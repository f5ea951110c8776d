"""A loopback Messages API, after Anthropic's public documentation: streamed and whole answers, models, faults.

What it answers is a function of the request (`handler`), or the next of `script`. It refuses with status 400 what the
documents say the 5.5 models refuse, so that a request that would fail in earnest fails here. Also a process of its own:
`python -m tests.fakes.claude --delay 1` prints its address and serves until it is ended.
"""

import argparse
import asyncio
import inspect
import json
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from tests.fakes import claude_cache, claude_files, claude_web
from tests.fakes.claude_tools import Calling, Tools, answers_tools, results
from tests.fakes.claude_web import Look

Request = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """One answer, or one fault.

    Attributes:
        status: Other than 200, an error answer with `error` as its type and `text` as its message.
        piece: Characters per streamed delta.
        cut_after: Break the connection after so many deltas (a whole answer: in the middle of its body).
        error_after: Send an `error` event after so many deltas.
        hang_after: Send nothing more after so many deltas, and keep the connection open.
        delay: Seconds before the answer begins; None for the server's own.
        before: Deltas that are streamed before the text, of whatever form.
        raw: The data of one event that is streamed before the text, as it is.
        calls: Tools that the turn calls after its text; it then stops with `tool_use`.
        looks: What it looks at on the web before its text, which cites all of it.
        thinking: Thoughts before all of it.
        begins: Text that the block's start holds already, as some compatible servers send it.
        last: What follows the stop reason: `message_stop`, or in its place nothing, "hang" (the connection stays open)
            or an event that is no JSON.
    """

    text: str = ""
    stop_reason: str = "end_turn"
    status: int = 200
    error: str = "api_error"
    piece: int = 20
    cut_after: int | None = None
    error_after: int | None = None
    hang_after: int | None = None
    delay: float | None = None
    before: tuple[object, ...] = ()
    raw: str = ""
    calls: tuple[Calling, ...] = ()
    looks: tuple[Look, ...] = ()
    thinking: str = ""
    begins: str = ""
    last: str = "message_stop"


OVERLOADED = Reply("Overloaded", status=529, error="overloaded_error")
LIMITED = Reply("Rate limited", status=429, error="rate_limit_error")
UNAUTHORIZED = Reply("invalid x-api-key", status=401, error="authentication_error")
UNPAID = Reply(
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade.",
    status=400,
    error="invalid_request_error",
)
REFUSAL = Reply("", stop_reason="refusal")
#: The documented text that the models refuse wherever a request holds it.
TRIGGER = "ANTHROPIC_MAGIC_STRING_TRIGGER_REFUSAL"
HANG = Reply("", hang_after=0)

Handler = Callable[[Request], Reply | str | Awaitable[Reply | str]]


def is_extraction(request: Request) -> bool:
    """Whether a request asks for facts: by a schema, or by mem0's prompt where the server takes no schema."""
    return "format" in (request.get("output_config") or {}) or "\n\n## New Messages\n" in last_text(request)


def system_text(request: Request) -> str:
    """The system prompt as one string."""
    system = request.get("system", "")
    return system if isinstance(system, str) else "\n".join(block["text"] for block in system)


def _text_of(message: Request) -> str:
    """A message's text, the bot's briefing apart."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(block.get("text", "") for block in content if not _is_briefing(block))


def _question(request: Request) -> Request:
    """The last message of the person's own: after it, only tools were called."""
    message: Request = next(each for each in reversed(request["messages"]) if not _of_a_round(each))
    return message


_CALLS = ("tool_use", "server_tool_use")


def _of_a_round(message: Request) -> bool:
    content = message["content"]
    called = isinstance(content, list) and any(block.get("type") in _CALLS for block in content)
    return called or answers_tools(message)


def last_text(request: Request) -> str:
    """The last message's text, without its briefing; what tools were asked since is no message."""
    return _text_of(_question(request))


def briefing(request: Request) -> str:
    """What the bot tells the model with the last message: who asks, where, and what is remembered of them."""
    content = _question(request)["content"]
    return "".join(block["text"] for block in content if not isinstance(block, str) and _is_briefing(block))


def turns_of(request: Request) -> list[tuple[str, str]]:
    """The messages: (role, text), without the briefing."""
    return [(message["role"], _text_of(message)) for message in request["messages"]]


def _is_briefing(block: Request) -> bool:
    return str(block.get("text", "")).startswith("(Briefing, from the bot itself:)\n")


_HEADER = re.compile(r"\[(\d+)\] \S+, .*")


def new_messages(prompt: str) -> list[tuple[int, str, str]]:
    """The exchanges under an extraction prompt's last `## New Messages`: (number, user's text, assistant's text)."""
    section = prompt.split("\n\n## New Messages\n", 1)[1].rsplit("\n\n## Observation Date\n", 1)[0]
    exchanges: list[tuple[int, str, str]] = []
    number, texts, role = 0, {"user": "", "assistant": ""}, "user"
    for line in section.split("\n"):
        if header := _HEADER.fullmatch(line):
            if number:
                exchanges.append((number, texts["user"], texts["assistant"]))
            number, texts = int(header.group(1)), {"user": "", "assistant": ""}
        elif line.startswith(("user: ", "assistant: ")):
            role, _, texts[role] = line.partition(": ")
        elif line.startswith("    "):
            texts[role] += "\n" + line[4:]
    return [*exchanges, (number, texts["user"], texts["assistant"])] if number else exchanges


def existing_memories(prompt: str) -> list[dict[str, str]]:
    """The memories that an extraction prompt shows: `id` and `text`."""
    section = prompt.split("\n\n## Existing Memories\n", 1)[1].split("\n\n", 1)[0]
    memories: list[dict[str, str]] = json.loads(section)
    return memories


def facts(*found: dict[str, Any]) -> str:
    """An extraction's answer; `id` and `attributed_to` are filled in."""
    numbered = [{"id": str(index), "attributed_to": "user", **fact} for index, fact in enumerate(found)]
    return json.dumps({"memory": numbered})


def default(request: Request) -> str:
    """Each exchange's user text as a fact with its source; in a chat, an echo."""
    prompt = last_text(request)
    if is_extraction(request):
        return facts(*({"text": user, "source": number} for number, user, _ in new_messages(prompt) if user.strip()))
    return f"You said: {prompt}"


def _open_object(schema: Any) -> bool:
    """Whether a schema has an object that allows further properties."""
    if isinstance(schema, list):
        return any(map(_open_object, schema))
    if not isinstance(schema, dict):
        return False
    opened = schema.get("type") == "object" and schema.get("additionalProperties") is not False
    return opened or any(map(_open_object, schema.values()))


def _texts(request: Request) -> Iterator[str]:
    """Every text of the messages."""
    for message in request["messages"]:
        content = message["content"]
        yield from (
            (block["text"] for block in content if block.get("type") == "text")
            if isinstance(content, list)
            else [content]
        )


def _used(request: Request) -> set[str]:
    """The optional parameters that a request holds."""
    return {*request, *(("cache_control",) if claude_cache.marks(request) else ())}


def _refused(request: Request) -> str | None:
    """What the documents say is answered with 400, None where the request is well formed."""
    if _open_object(((request.get("output_config") or {}).get("format") or {}).get("schema")):
        return "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"
    model, thinking = str(request.get("model", "")), (request.get("thinking") or {}).get("type")
    if not request.get("max_tokens") or not request.get("messages"):
        return "max_tokens and messages: Field required"
    if not all(text.strip() for text in _texts(request)):
        return "messages: text content blocks must contain non-whitespace text"
    if request["messages"][-1]["role"] == "assistant" and not claude_web.paused(request["messages"][-1]):
        return "This model does not support assistant message prefill."
    if {"temperature", "top_p", "top_k"} & set(request):
        return "`temperature` is not supported for this model."
    accepted = {"sonnet-5-5": ("adaptive", "between_tools"), "opus-5-5": ("adaptive",)}
    for name, types in accepted.items():
        if name in model and thinking not in (None, *types):
            return f'"thinking.type.{thinking}" is not supported for this model.'
    if thinking == "between_tools" and "sonnet-5-5" not in model:
        return '"thinking.type.between_tools" is not supported for this model.'
    return None


class FakeClaude:
    """The server. `async with FakeClaude() as claude: … claude.url`.

    Attributes:
        script: Replies that are given first, one a request, whoever asks.
        requests: The bodies of all requests, in order of arrival (with `record`).
        calls: Requests so far; `most_at_once` is how many of them were ever open together.
        triggers: Texts that are answered with `refusal` wherever a request holds them, old turns and system included.
        window: The characters that a request may have, None for no end; past it the service answers 400.
        sizes: The characters of the last requests.
        unknown: Parameters that a compatible server refuses, by name; `silent` has it not say which.
        tokens: Billed so far, characters / 4: `input`, `output`, `cache_read`, `cache_creation`.
        cache: The prompt cache; its entries last five minutes by `clock`.
        tells_usage: Whether streams say what they took, as compatible servers may not.
        billed: How many requests were billed; `untold` of them never heard what their answer took (`untold_output`).
    """

    def __init__(
        self,
        handler: Handler = default,
        *,
        chat_delay: float = 0.0,
        extraction_delay: float = 0.0,
        gap: float = 0.0,
        key: str | None = None,
        record: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.handler = handler
        self.script: deque[Reply | str] = deque()
        self.requests: list[Request] = []
        self.calls = 0
        self.open = 0
        self.most_at_once = 0
        self.tokens = {"input": 0, "output": 0, "cache_read": 0, "cache_creation": 0}
        self.tells_usage = True
        self.billed = self.untold = self.untold_output = 0
        self.models = {"claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5"}
        self.triggers = {TRIGGER}
        self.window: int | None = None
        self.sizes: deque[int] = deque(maxlen=100)
        self.unknown: set[str] = set()
        self.silent = False
        self.url = ""
        self._delays = (chat_delay, extraction_delay)
        self._gap = gap
        self._key = key
        self._record = record
        self.cache = claude_cache.Cache(clock)
        self._tools = Tools()
        self._released = asyncio.Event()
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    @property
    def chats(self) -> list[Request]:
        """The recorded requests of the chat."""
        return [request for request in self.requests if not is_extraction(request)]

    @property
    def extractions(self) -> list[Request]:
        """The recorded requests of extractions."""
        return [request for request in self.requests if is_extraction(request)]

    async def start(self, port: int = 0) -> str:
        """Listen on 127.0.0.1 and return the address."""
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_get("/v1/models/{model}", self._model)
        # A request ends with its connection, as the service's does.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, backlog=1024)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self.url

    def release(self) -> None:
        """Let go of all connections that hang."""
        self._released.set()

    async def idle(self) -> None:
        """Return once a request has come and none is open."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.calls and not self.open)

    async def busy(self, requests: int) -> None:
        """Return once so many requests are open together."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.open >= requests)

    async def stop(self) -> None:
        """Stop listening and let go of what hangs."""
        self.release()
        if self._runner:
            await self._runner.cleanup()

    async def __aenter__(self) -> "FakeClaude":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _denied(self, request: web.Request) -> web.Response | None:
        key = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        return _error(UNAUTHORIZED) if not key or (self._key is not None and key != self._key) else None

    async def _model(self, request: web.Request) -> web.Response:
        model = request.match_info["model"]
        if denied := self._denied(request):
            return denied
        if self.script and not isinstance(self.script[0], str) and self.script[0].status != 200:
            fault = self.script.popleft()
            assert isinstance(fault, Reply)
            return _error(fault)
        if model not in self.models:
            return _error(Reply(f"model: {model}", status=404, error="not_found_error"))
        return web.json_response(
            {"type": "model", "id": model, "display_name": model, "created_at": "2026-09-28T00:00:00Z"}
        )

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        if denied := self._denied(request):
            return denied
        body: Request = await request.json()
        self.calls += 1
        if self._record:
            self.requests.append(body)
        await self._count(1)
        try:
            return await self._answer(request, body)
        finally:
            await self._count(-1)

    async def _count(self, change: int) -> None:
        self.open += change
        self.most_at_once = max(self.most_at_once, self.open)
        async with self._changed:
            self._changed.notify_all()

    async def _answer(self, request: web.Request, body: Request) -> web.StreamResponse:
        if (request.content_length or 0) > claude_files.REQUEST:
            return _error(Reply("Request exceeds the maximum size", status=413, error="request_too_large"))
        refused = _refused(body) or self._tools.problem(body) or claude_cache.problem(body) or claude_web.problem(body)
        refused = refused or await asyncio.to_thread(claude_files.problem, body)
        if refused:
            return _error(Reply(refused, status=400, error="invalid_request_error"))
        if unknown := sorted(self.unknown & _used(body)):
            said = "invalid request" if self.silent else f"{unknown[0]}: Extra inputs are not permitted"
            return _error(Reply(said, status=400, error="invalid_request_error"))
        texts = [system_text(body), briefing(body), *(text for _, text in turns_of(body))]
        texts += [text for text, _ in results(body)]
        length = sum(map(len, texts))
        self.sizes.append(length)
        if self.window is not None and length > self.window:
            said = f"prompt is too long: {length} tokens > {self.window} maximum"
            return _error(Reply(said, status=400, error="invalid_request_error"))
        given: Any = self.script.popleft() if self.script else self.handler(body)
        if inspect.isawaitable(given):
            given = await given
        reply: Reply = Reply(given) if isinstance(given, str) else given
        if reply.status == 200 and any(trigger in text for trigger in self.triggers for text in texts):
            reply = replace(REFUSAL, delay=reply.delay)
        delay = reply.delay if reply.delay is not None else self._delays[is_extraction(body)]
        if delay:
            await asyncio.sleep(delay)
        if reply.status != 200:
            return _error(reply)
        usage = self._usage(body, reply.text, reply.looks)
        self.billed += 1
        if any(fault is not None for fault in (reply.cut_after, reply.error_after, reply.hang_after)):
            self.untold += 1
            self.untold_output += usage["output_tokens"]
        if body.get("stream"):
            return await self._stream(request, body, reply, usage)
        if reply.hang_after is not None:
            await self._released.wait()
        return await self._whole(request, body, reply, usage)

    def _usage(self, body: Request, text: str, looks: tuple[Look, ...]) -> dict[str, int]:
        billed = self.cache.bill(body)
        # What is found is read, and the prompt again with it.
        usage = {"input": billed.input + claude_web.READ * len(looks), "output": len(text) // 4 + 1}
        usage |= {"cache_read": billed.read, "cache_creation": billed.written}
        for kind, count in usage.items():
            self.tokens[kind] += count
        return {
            "input_tokens": usage["input"],
            "cache_creation_input_tokens": usage["cache_creation"],
            "cache_read_input_tokens": usage["cache_read"],
            "output_tokens": usage["output"],
        }

    async def _whole(
        self, request: web.Request, body: Request, reply: Reply, usage: dict[str, int]
    ) -> web.StreamResponse:
        message = _message(body, usage)
        message["content"] = [end for _, _, end in self._blocks(reply) if end.get("text", "-")]
        message["stop_reason"] = _stop_reason(reply)
        if reply.cut_after is None:
            return web.json_response(message)
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        await response.write(json.dumps(message).encode()[:-20])
        _break(request)
        return response

    def _blocks(self, reply: Reply) -> list[tuple[Request, list[Request], Request]]:
        """The blocks of a turn: as each starts, the whole text of its deltas, and as it ends."""
        blocks = self._tools.blocks(reply.thinking, reply.text, reply.calls)
        return claude_web.added(blocks, reply.looks, self.calls) if reply.looks else blocks

    async def _odd(self, response: web.StreamResponse, reply: Reply) -> None:
        """What is streamed before the text, of whatever form."""
        if reply.raw:
            await response.write(f"event: content_block_delta\ndata: {reply.raw}\n\n".encode())
        for odd in reply.before:
            await response.write(_event({"type": "content_block_delta", "index": 0, "delta": odd}))

    async def _fails(self, request: web.Request, response: web.StreamResponse, reply: Reply, sent: int) -> bool:
        """Whether the stream ends here, after so many deltas."""
        if sent == reply.cut_after:
            _break(request)
            return True
        if sent == reply.hang_after:
            await self._released.wait()
        if sent == reply.error_after:
            error = {"type": reply.error, "message": "the stream ends here"}
            await response.write(_event({"type": "error", "error": error}))
            return True
        return False

    async def _stream(
        self, request: web.Request, body: Request, reply: Reply, usage: dict[str, int]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        start: dict[str, Any] = {"type": "message_start", "message": _message(body, {**usage, "output_tokens": 1})}
        if not self.tells_usage:
            del start["message"]["usage"]
        await response.write(_event(start) + _event({"type": "ping"}))
        sent = 0
        for index, (begun, deltas, _) in enumerate(self._blocks(reply)):
            begun = {**begun, "text": reply.begins} if begun["type"] == "text" else begun
            await response.write(_event({"type": "content_block_start", "index": index, "content_block": begun}))
            if not index:
                await self._odd(response, reply)
            for delta in _pieces(deltas, reply.piece):
                if await self._fails(request, response, reply, sent):
                    return response
                await response.write(_event({"type": "content_block_delta", "index": index, "delta": delta}))
                sent += 1
                if self._gap:
                    await asyncio.sleep(self._gap)
            await response.write(_event({"type": "content_block_stop", "index": index}))
        if await self._fails(request, response, reply, sent):
            return response
        end = {"stop_reason": _stop_reason(reply), "stop_sequence": None}
        told = {"output_tokens": usage["output_tokens"], **claude_web.usage(reply.looks)}
        counted = {"usage": told} if self.tells_usage else {}
        await response.write(_event({"type": "message_delta", "delta": end, **counted}))
        if reply.last == "hang":
            await self._released.wait()
        elif reply.last == "message_stop":
            await response.write(_event({"type": "message_stop"}))
        elif reply.last:
            await response.write(f"event: message_stop\ndata: {reply.last}\n\n".encode())
        await response.write_eof()
        return response


def _pieces(deltas: list[Request], size: int) -> Iterator[Request]:
    """The deltas in pieces of so many characters; a signature or a citation comes whole."""
    for delta in deltas:
        field = next(name for name in delta if name != "type")
        if field in ("signature", "citation"):
            yield delta
            continue
        for start in range(0, len(delta[field]), size):
            yield {**delta, field: delta[field][start : start + size]}


def _stop_reason(reply: Reply) -> str:
    return "tool_use" if reply.calls and reply.stop_reason == "end_turn" else reply.stop_reason


def _message(body: Request, usage: dict[str, int]) -> dict[str, Any]:
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _event(data: dict[str, Any]) -> bytes:
    return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode()


def _error(reply: Reply) -> web.Response:
    body = {"type": "error", "error": {"type": reply.error, "message": reply.text}, "request_id": "req_01"}
    # `retry-after-ms` is what the SDKs look at first: its own back-off of seconds would slow every test.
    return web.json_response(body, status=reply.status, headers={"retry-after-ms": "5"})


def _break(request: web.Request) -> None:
    if request.transport:
        request.transport.abort()


async def _serve(options: argparse.Namespace) -> None:
    claude = FakeClaude(chat_delay=options.delay, extraction_delay=options.extraction_delay, record=False)
    print(await claude.start(options.port), flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before a chat's answer begins")
    parser.add_argument("--extraction-delay", type=float, default=0.0, help="seconds that an extraction takes")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
