"""The tools at work on one answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.actions import Page
from bot.core.gathering import Gathered, Gatherer
from bot.logs import describe
from bot.model import Call, Memory, Result, Tool
from bot.ports import MemoryStore, OffRecord, ReplyHandle
from bot.views import Button

log = logging.getLogger(__name__)

#: Seconds that one call may take.
SECONDS = 5.0

MEMORIES_LABEL = "All that I remember"

UNKNOWN = Result("There is no tool of that name.", failed=True)
UNREADABLE = Result("The input of this call couldn't be read: it must be one JSON object.", failed=True)
LATE = Result(
    "This took too long, so nothing is known of its outcome. Say so; don't claim that it was done.", failed=True
)
FAILED = Result("This failed, so it wasn't done. Say so, and don't claim that it was.", failed=True)
OFF = Result(
    "Memory is switched off here: nothing is remembered and nothing can be looked up.",
    failed=True,
    plain="Memory is switched off here.",
)
PAUSED = Result(
    "This person has paused their memory: nothing is looked up and nothing kept until they resume it with /memories.",
    failed=True,
    plain="Your memory is paused: /memories resumes it.",
)
ERASING = Result(
    "What this person had forgotten is still being erased: until then nothing is looked up and nothing kept.",
    failed=True,
    plain="What you had me forget is still being erased. Please try again in a minute.",
)
NOWHERE = Result(
    "This question is recorded nowhere, so its answer may use no memory beyond what you were shown.", failed=True
)


@dataclass(frozen=True, slots=True)
class Workshop:
    """What toolboxes are made of, the same for all answers. `remember` is off where memory is switched off."""

    memory: MemoryStore
    gatherer: Gatherer
    remember: bool = True
    seconds: float = SECONDS
    off_record: OffRecord | None = None


@dataclass(slots=True)
class Toolbox:
    """One answer's tools, and what they leave behind for the loop.

    Attributes:
        shop: What it is made of.
        found: What the answer is given with: the event, its account, what was recalled.
        reply: The way back to the message.
        kits: The tools, by name.
        event_id: The message's id, for the log.
        conversation: The key of its conversation.
        read: The ids of others' messages that a tool has shown: the answer's text is then kept nowhere.
        unlearned: A tool has found that nothing may be learned from this exchange.
        off_record: The person wants nothing of this exchange learned, ever.
        buttons: What goes below the answer, for its asker alone.
        forget: What they want forgotten, in words that it holds: they are to be shown what matches.
    """

    shop: Workshop
    found: Gathered
    reply: ReplyHandle
    kits: Mapping[str, "Kit"]
    event_id: str = ""
    conversation: str = ""
    read: set[str] = field(default_factory=set)
    unlearned: bool = False
    off_record: bool = False
    buttons: list[Button] = field(default_factory=list)
    forget: list[str] = field(default_factory=list)

    async def run(self, call: Call) -> Result:
        """Run one call. Never raises: what fails is told to the model in plain words, and logged without its input."""
        event_id, kit = self.event_id, self.kits.get(call.name)
        if kit is None:
            log.warning("%s: a tool was called that there isn't", event_id)
            return UNKNOWN
        if call.arguments is None:
            log.warning("%s: tool %s was called with unreadable input", event_id, kit.tool.name)
            return UNREADABLE
        try:
            async with asyncio.timeout(self.shop.seconds):
                return await kit.run(self, call.arguments)
        except TimeoutError:
            log.warning("%s: tool %s took too long", event_id, kit.tool.name)
            return LATE
        except Exception as exc:  # noqa: BLE001 - the boundary of one call: the answer goes on without its result
            log.warning("%s: tool %s failed: %s", event_id, kit.tool.name, describe(exc))
            return FAILED

    def unusable(self) -> Result | None:
        """Why nothing can be looked up for this person here; None if it can."""
        account = self.found.account
        if not self.shop.remember:
            return OFF
        if self.found.event.confidential:
            return NOWHERE
        if account.paused:
            return PAUSED
        return ERASING if account.erasing else None

    def offer_memories(self) -> None:
        """Put a button below the answer that opens the person's list, once."""
        button = Button(MEMORIES_LABEL, str(Page()))
        if button not in self.buttons:
            self.buttons.append(button)

    def line(self, memory: Memory, length: int | None = None, *, plain: bool = False) -> str:
        """One memory as a line, with its date where the person is, and marked if it no longer holds.

        `plain` writes it as a person reads it.
        """
        at = f"{memory.learned_at.astimezone(self.found.event.at.tzinfo):%Y-%m-%d}"
        text = " ".join(memory.text.split())
        text = f"{text[:length]}…" if length and len(text) > length else text
        former = " (no longer true: something newer has replaced it)" if memory.superseded_by else ""
        return f"- {text} ({at})" if plain else f"- [{at}] {text}{former}"


Run = Callable[[Toolbox, Mapping[str, Any]], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Kit:
    """A tool and what it does."""

    tool: Tool
    run: Run


def text_of(arguments: Mapping[str, Any], name: str) -> str:
    """A text among the arguments, without white space around it; empty if there is none."""
    value = arguments.get(name)
    return value.strip() if isinstance(value, str) else ""


def schema(required: Mapping[str, str], **optional: tuple[str, str]) -> dict[str, Any]:
    """A strict schema: texts that are required, and optional ones with their JSON type, each with its description."""
    properties = {name: {"type": "string", "description": told} for name, told in required.items()}
    properties |= {name: {"type": kind, "description": told} for name, (kind, told) in optional.items()}
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}
