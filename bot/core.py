"""The memory loop, one message at a time: read before you respond, write after you respond."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from bot import prompt
from bot.allowance import Allowance
from bot.commands import Commands
from bot.events import CommandEvent, Memory, MessageEvent, PressEvent, Prompt, Recalled, Turn, View
from bot.identity import Identities
from bot.learning import Learner
from bot.logs import describe
from bot.ports import (
    Chat,
    ChatError,
    ChatMisconfigured,
    ChatOverloaded,
    ChatRefused,
    ChatTooLong,
    Journal,
    MemoryStore,
    MemoryUnavailable,
    Notify,
    Respond,
)

log = logging.getLogger(__name__)

#: Tries at a whole answer; the SDK's own retries of a refused connection come on top.
ATTEMPTS = 2
#: What another try at once would not mend.
HOPELESS = (ChatRefused, ChatTooLong, ChatMisconfigured, ChatOverloaded)
#: Texts of the conversation that help the recall's query.
CONTEXT = 3

SORRY = "Something went wrong on my side. Please try again."


class MemoryBot:
    """The core that adapters hand their events to (`bot.ports.Core`)."""

    def __init__(
        self,
        journal: Journal,
        memory: MemoryStore,
        chat: Chat,
        learner: Learner,
        *,
        persona: str = prompt.PERSONA,
        allowance: int = 0,
        notify: Notify | None = None,
        remember: bool = True,
    ) -> None:
        """Answer through `chat` with what `memory` recalls.

        `allowance` is a person's messages a minute (0: no limit); without `remember` nothing is kept to be learned.
        """
        self._journal = journal
        self._memory = memory
        self._chat = chat
        self._learner = learner
        self._persona = persona
        self._allowance = Allowance(allowance)
        self._notify = notify
        self._remember = remember
        self._identities = Identities(journal)
        self._commands = Commands(journal, memory, self._identities)

    async def on_message(self, event: MessageEvent, respond: Respond) -> None:
        """Answer one message, once; whatever fails is logged without its text and told to the person."""
        try:
            await self._answer(event, respond)
        except Exception as exc:  # noqa: BLE001 - the message boundary: one person's trouble stops nobody else
            log.error("%s: no answer: %s", event.id, describe(exc))
            await self._apologise(event, respond)

    async def _answer(self, event: MessageEvent, respond: Respond) -> None:
        if not event.text.strip() and not event.attachments:
            return
        conversation = await self._journal.admit(event)
        if conversation is None:  # already seen, here or in another process
            return
        if wait := self._allowance.wait(event.person.key, asyncio.get_running_loop().time()):
            await respond.whisper(f"That's a lot at once. Please write again in {math.ceil(wait)} seconds.")
            return
        user_id = await self._identities.user_id(event.person)
        async with respond.working():
            turns = await self._journal.recent(conversation)
            memories = await self._recall(user_id, event, turns)
            answer = Answer(self._chat, prompt.build(self._persona, event, memories, turns))
            message_ids = await respond.stream(answer.snapshots())
        await self._journal.answered(event, user_id, conversation, answer.text, message_ids, learn=self._remember)
        if self._remember:
            self._learner.noticed(user_id, event.place.scope)

    async def _recall(self, user_id: str, event: MessageEvent, turns: Sequence[Turn]) -> list[Memory]:
        query = prompt.said(event)
        context = [turn.text for turn in turns[-CONTEXT:]]
        try:
            memories = await self._memory.recall(user_id, event.place.recallable, query, context, event.at)
        except (MemoryUnavailable, TimeoutError) as exc:
            log.warning("%s: answered without memories: %s", event.id, type(exc).__name__)
            return []
        if self._notify:
            self._notify(Recalled(event.id, len(memories)))
        return memories

    async def _apologise(self, event: MessageEvent, respond: Respond) -> None:
        try:
            await respond.whisper(SORRY)
        except Exception as exc:  # noqa: BLE001 - the platform itself may be what failed
            log.error("%s: nor could an apology be sent: %s", event.id, describe(exc))

    async def on_command(self, event: CommandEvent) -> View:
        """Run a command for the caller alone."""
        return await self._commands.run(event)

    async def on_press(self, event: PressEvent) -> View:
        """Act on a button for the person who clicked it."""
        return await self._commands.press(event)

    async def suggest(self, event: CommandEvent) -> list[str]:
        """The caller's memories that match what is typed so far."""
        return await self._commands.suggest(event)


class Answer:
    """One answer as it grows. `text` is what the model said, empty where it gave no whole answer."""

    def __init__(self, chat: Chat, request: Prompt) -> None:
        self._chat = chat
        self._request = request
        self.text = ""

    async def snapshots(self) -> AsyncIterator[str]:
        """Yield the text so far, each time more of it has come; end with a plain sentence where it broke.

        A stream that is cut is asked for anew (an answer can't be continued). What was shown stays until the new
        text is longer than it, so that nothing shows twice and nothing is taken back.
        """
        shown = ""
        for attempt in range(1, ATTEMPTS + 1):
            text = ""
            try:
                async with aclosing(self._chat.answer(self._request)) as pieces:
                    async for piece in pieces:
                        text += piece
                        if len(text) > len(shown):
                            shown = text
                            yield text
                if not text.strip():
                    raise ChatError("an empty answer")
            except ChatError as exc:
                log.warning("the answer broke off: %s (attempt %d)", type(exc).__name__, attempt)
                if isinstance(exc, HOPELESS) or attempt == ATTEMPTS:
                    yield f"{shown}\n\n{exc.sentence}".strip()
                    return
            else:
                self.text = text
                if text != shown:
                    yield text
                return
