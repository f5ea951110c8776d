"""The floor of the load benchmark: a bot without memory, on the libraries that ours uses. It streams and types too.

`python -m tests.benchmarks.load_floor discord|slack`, with our bot's environment variables. It answers a message by
that message alone, in our bot's rhythm of sending and editing; it keeps nothing, and what fails is lost.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

import anthropic
import uvloop

PERSONA = "You are a helpful assistant in a chat. Be brief and friendly."
MODEL = "claude-sonnet-5-5"
#: Seconds: from the first text to its showing (a short answer is sent once), between edits, between signs of typing.
FIRST, EVERY, TYPING = 0.25, 1.2, 8.0


class Chatter(Protocol):
    """What answers: `answer` yields the text so far, `learn` is told of the whole exchange once it is shown."""

    def answer(self, user: str, text: str) -> AsyncIterator[str]:
        """The text of the answer as it grows."""
        ...

    async def learn(self, user: str, text: str, answer: str) -> None:
        """Called after the answer is shown."""
        ...


class Floor:
    """Claude, with no memory at all."""

    def __init__(self) -> None:
        self._claude = anthropic.AsyncAnthropic()

    async def answer(self, user: str, text: str) -> AsyncIterator[str]:
        """The text of Claude's answer as it streams in."""
        so_far = ""
        stream = await self._claude.messages.create(
            model=MODEL,
            max_tokens=2048,
            system=PERSONA,
            messages=[{"role": "user", "content": text}],
            thinking={"type": "between_tools"},
            stream=True,
        )
        async with stream:
            async for event in stream:
                if event.type == "content_block_delta" and event.delta.type == "text_delta":
                    so_far += event.delta.text
                    yield so_far

    async def learn(self, user: str, text: str, answer: str) -> None:
        """Nothing."""


async def show(
    texts: AsyncIterator[str],
    send: Callable[[str], Awaitable[Any]],
    edit: Callable[[Any, str], Awaitable[Any]],
) -> str:
    """Send an answer and edit it while it grows; return the whole of it."""
    now = asyncio.get_running_loop().time
    sent, shown, text, due = None, "", "", 0.0
    async for text in texts:
        due = due or now() + FIRST
        if now() >= due:
            sent = await (edit(sent, text) if sent else send(text))
            shown, due = text, now() + EVERY
    if text != shown:
        await (edit(sent, text) if sent else send(text))
    return text


async def on_discord(chatter: Chatter) -> None:
    """Answer direct messages on Discord until the process ends."""
    import discord
    from discord.http import Route

    Route.BASE = os.environ["DISCORD_API_BASE"]
    client = discord.AutoShardedClient(
        intents=discord.Intents.default(), max_messages=None, allowed_mentions=discord.AllowedMentions.none()
    )

    async def keep_typing(channel: discord.abc.Messageable) -> None:
        while True:
            await channel.typing()
            await asyncio.sleep(TYPING)

    @client.event
    async def on_message(message: discord.Message) -> None:
        if message.author.bot or message.guild is not None:
            return
        user, channel = str(message.author.id), message.channel
        typing = asyncio.create_task(keep_typing(channel))
        try:
            answer = await show(
                chatter.answer(user, message.content),
                lambda text: channel.send(text, reference=message, mention_author=False),
                lambda sent, text: sent.edit(content=text),
            )
        finally:
            typing.cancel()
        await chatter.learn(user, message.content, answer)

    await client.start(os.environ["DISCORD_TOKEN"])


async def on_slack(chatter: Chatter) -> None:
    """Answer direct messages on Slack until the process ends."""
    from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
    from slack_bolt.app.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient

    base = os.environ["SLACK_API_BASE"] + "/"
    web = AsyncWebClient(os.environ["SLACK_BOT_TOKEN"], base_url=base)
    app = AsyncApp(client=web)

    @app.event("message")
    async def on_message(event: dict[str, Any]) -> None:
        if event.get("bot_id") or event.get("subtype"):
            return
        user, channel, said = event["user"], event["channel"], event["text"]

        async def edit(sent: Any, text: str) -> Any:
            return await web.chat_update(channel=channel, ts=sent["ts"], text=text)

        texts = chatter.answer(user, said)
        answer = await show(texts, lambda text: web.chat_postMessage(channel=channel, text=text), edit)
        await chatter.learn(user, said, answer)

    token = os.environ["SLACK_APP_TOKEN"]
    handler: Any = AsyncSocketModeHandler(app, token, web_client=AsyncWebClient(token, base_url=base))
    await handler.start_async()


def run(chatter: Callable[[], Chatter]) -> None:
    """Run a bot on the platform that the command line names; SIGTERM ends it at once."""

    async def serve() -> None:
        await (on_slack if sys.argv[1:] == ["slack"] else on_discord)(chatter())

    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


if __name__ == "__main__":
    run(Floor)
