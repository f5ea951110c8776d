"""The bot's answers in the fake Discord, as people see and await them."""

import asyncio

from tests.fakes.discord_gateway import Payload
from tests.fakes.discord_model import Channel, numbered, reference_to
from tests.fakes.discord_world import World
from tests.makers import alone

#: What an answer ends with while it grows: people wait on.
CURSOR = "▌"


class Answers(World):
    """Messages of the bot's that reply to another.

    Attributes:
        knows_nonces: Whether a repeated nonce gives the first message, as it does for some minutes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.knows_nonces = True
        self._nonces: dict[tuple[str, str], str] = {}
        self._answers: dict[str, list[Payload]] = {}
        self._first: dict[str, asyncio.Future[Payload]] = {}
        self._changes: dict[str, asyncio.Event] = {}

    def answers(self, message_id: str) -> list[Payload]:
        """The bot's messages that reply to a message, in order, those deleted since left out."""
        found = self._answers.get(message_id, [])
        return [answer for answer in found if answer["id"] in self.channels[answer["channel_id"]].messages]

    async def first_answer(self, message_id: str, within: float = 10.0) -> Payload:
        """The first message that replies to a message, as soon as it is there."""
        future = self._first.setdefault(message_id, asyncio.get_running_loop().create_future())
        return await asyncio.wait_for(asyncio.shield(future), within)

    async def answer_to(
        self, message_id: str, *, contains: str = "", settle: float = 0.25, within: float = 10.0
    ) -> str:
        """Wait for the whole answer to a message: it holds `contains`, and grows no more.

        It has no cursor, and has not changed for `settle` seconds. What it says below a person's first answer is left
        out.
        """
        loop = asyncio.get_running_loop()
        changed = self.change_of(message_id)
        end = loop.time() + within
        while True:
            changed.clear()
            parts = [str(answer["content"]) for answer in self.answers(message_id)]
            text = "\n".join(parts)
            ready = bool(text) and contains in text and not any(part.endswith(CURSOR) for part in parts)
            try:
                await asyncio.wait_for(changed.wait(), settle if ready else max(0.01, end - loop.time()))
            except TimeoutError:
                if ready:
                    return alone(text)
                raise AssertionError(f"no answer to {message_id} within {within:g} s; there is: {text!r}") from None

    def change_of(self, message_id: str) -> asyncio.Event:
        """Set at each change of the answer to a message; clear it to wait for the next."""
        return self._changes.setdefault(message_id, asyncio.Event())

    def store(self, channel: Channel, body: Payload) -> Payload:
        """Keep a message of the bot's; one with a nonce that was there before is not sent again."""
        nonce = str(body["nonce"]) if body.get("nonce") is not None and body.get("enforce_nonce") else None
        if nonce is not None and self.knows_nonces:
            earlier = self._nonces.get((channel.id, nonce))
            if earlier in channel.messages:
                return channel.messages[earlier]
        message = self.message(channel, self.bot, str(body.get("content") or "").strip())
        message |= {"components": numbered(body.get("components") or []), "flags": int(body.get("flags") or 0)}
        reference = body.get("message_reference")
        if reference:
            message |= {"type": 19, "message_reference": reference_to(channel, reference["message_id"])}
            message["referenced_message"] = channel.messages.get(str(reference["message_id"]))
        channel.messages[message["id"]] = message
        if nonce is not None:
            self._nonces[channel.id, nonce] = message["id"]
        if reference:
            original = str(reference["message_id"])
            self._answers.setdefault(original, []).append(message)
            waiting = self._first.setdefault(original, asyncio.get_running_loop().create_future())
            if not waiting.done():
                waiting.set_result(message)
        self.touch(message)
        return message

    def touch(self, message: Payload) -> None:
        """Wake who waits for the answer that this message is part of."""
        reference = message.get("message_reference")
        if reference and (changed := self._changes.get(str(reference["message_id"]))):
            changed.set()
